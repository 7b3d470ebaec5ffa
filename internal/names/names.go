// Package names compares the names of people as lists of different origin spell them: VGGFace2
// writes "Aishwarya_Rai", quotes and accents, LFW plain letters, IMDb blanks.
package names

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Canonical makes one spelling of the ones in use: lower case, underscores for blanks, no quotes around
// it, and Latin letters without their accents, whether these are one character with the letter or a mark of
// their own.
func Canonical(s string) string {
	return strings.Join(strings.Fields(trim(plain(strings.ToLower(s)))), "_")
}

// trim takes away blanks and quotes around a name.
func trim(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return unicode.IsSpace(r) || r == '"' || r == '\'' })
}

// plain leaves off the accents of Latin letters.
func plain(s string) string {
	latin := false // the letter that a mark belongs to; in other scripts marks make another letter
	return whole.Replace(norm.NFC.String(strings.Map(func(r rune) rune {
		if !unicode.Is(unicode.Mn, r) {
			latin = unicode.Is(unicode.Latin, r)
		} else if latin {
			return -1
		}
		return r
	}, norm.NFD.String(s))))
}

// whole are the letters whose accent is no mark, and the ligatures.
var whole = strings.NewReplacer("æ", "ae", "œ", "oe", "ß", "ss", "đ", "d", "ð", "d", "ħ", "h", "ı", "i", "ŀ", "l", "ł", "l",
	"ŉ", "n", "ø", "o", "ŧ", "t", "þ", "th", "ĳ", "ij",
	"Æ", "AE", "Œ", "OE", "ẞ", "SS", "Đ", "D", "Ð", "D", "Ħ", "H", "Ŀ", "L", "Ł", "L", "Ø", "O", "Ŧ", "T", "Þ", "TH", "Ĳ", "IJ")

// Words is a name without order and punctuation: its words in order of the alphabet.
func Words(s string) string {
	w := words(s)
	slices.Sort(w)
	return strings.Join(w, "_")
}

func words(s string) []string {
	return strings.FieldsFunc(Canonical(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}
