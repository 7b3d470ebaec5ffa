package names

import (
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// Differs says in what two spellings of one name differ: "" for the same but for quotes, blanks and underscores; "case",
// "accents" or "case and accents" where [Canonical] is the same; "punctuation" or "order" where the words are; and
// "name" where these are two names.
func Differs(a, b string) string {
	switch bareA, bareB := bare(a), bare(b); {
	case bareA == bareB:
		return ""
	case Canonical(a) != Canonical(b):
		switch {
		case slices.Equal(words(a), words(b)):
			return "punctuation"
		case Words(a) == Words(b):
			return "order"
		}
		return "name"
	case strings.EqualFold(bareA, bareB):
		return "case"
	case plain(bareA) == plain(bareB):
		return "accents"
	}
	return "case and accents"
}

// bare is a name with blanks for underscores and without quotes, its letters composed.
func bare(s string) string {
	return norm.NFC.String(strings.Join(strings.Fields(trim(strings.ReplaceAll(s, "_", " "))), " "))
}
