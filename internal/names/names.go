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
	latin := false // the letter that a mark belongs to; in other scripts marks make another letter
	s = norm.NFC.String(strings.Map(func(r rune) rune {
		if !unicode.Is(unicode.Mn, r) {
			latin = unicode.Is(unicode.Latin, r)
		} else if latin {
			return -1
		}
		return r
	}, norm.NFD.String(strings.ToLower(s))))
	s = strings.TrimFunc(s, func(r rune) bool { return unicode.IsSpace(r) || r == '"' || r == '\'' })
	return whole.Replace(strings.Join(strings.Fields(s), "_"))
}

// whole are the letters whose accent is no mark, and the ligatures.
var whole = strings.NewReplacer("æ", "ae", "œ", "oe", "ß", "ss", "đ", "d", "ð", "d", "ħ", "h", "ı", "i", "ŀ", "l", "ł", "l",
	"ŉ", "n", "ø", "o", "ŧ", "t", "þ", "th", "ĳ", "ij")

// Words is a name without order and punctuation: its words in order of the alphabet.
func Words(s string) string {
	words := strings.FieldsFunc(Canonical(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	slices.Sort(words)
	return strings.Join(words, "_")
}
