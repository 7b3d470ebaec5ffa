package export

import (
	"encoding/hex"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/zeebo/xxh3"
)

// The longest names made of keys and identities, in bytes. File systems take 255, a tar archive 100
// for the last element of a path, an extension included.
const (
	maxName  = 120
	maxPlain = 90
)

// safeName makes a name for a file or a directory of any text, on every system: what could be more
// than a name is written as %XX, and "%" itself too, so that two texts have two names. Letters and
// digits of any script stay, and so do signs that mean nothing to anybody. A long name ends in a
// digest of the text instead.
func safeName(s string) string { return escape(s, true, maxName) }

// plainName is safeName with ASCII alone and without dots, for readers that take what follows the
// first dot for an extension.
func plainName(s string) string { return escape(s, false, maxPlain) }

// escape is the two: wide lets dots and spaces pass within a name, and letters and digits that are not
// ASCII.
func escape(s string, wide bool, most int) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		first, last := i == 0, i+n == len(s)
		switch {
		case r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("_-+=,@~()'!&", r)):
			b.WriteRune(r)
		case wide && !first && !last && (r == '.' || r == ' '):
			b.WriteRune(r)
		case wide && r >= utf8.RuneSelf && r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r)):
			b.WriteRune(r)
		default:
			for _, c := range []byte(s[i : i+n]) {
				b.WriteByte('%')
				b.WriteString(strings.ToUpper(hex.EncodeToString([]byte{c})))
			}
		}
		i += n
	}
	name := b.String()
	if reserved(name) {
		name = "%" + strings.ToUpper(hex.EncodeToString([]byte(name[:1]))) + name[1:]
	}
	if len(name) > most {
		sum := xxh3.HashString128(s).Bytes()
		cut := most - 2*len(sum) - 1
		for !utf8.RuneStart(name[cut]) {
			cut--
		}
		name = name[:cut] + "~" + hex.EncodeToString(sum[:])
	}
	if name == "" {
		name = "%"
	}
	return name
}

// reserved are the names that Windows keeps for devices, with any extension.
func reserved(name string) bool {
	base, _, _ := strings.Cut(strings.ToUpper(name), ".")
	switch base {
	case "CON", "PRN", "AUX", "NUL":
		return true
	}
	return len(base) == 4 && (strings.HasPrefix(base, "COM") || strings.HasPrefix(base, "LPT")) && base[3] >= '0' && base[3] <= '9'
}

// keyName is the name of a sample within its identity: what of the key follows the first "/", or all
// of a key that has none.
func keyName(key string) string {
	if _, rest, ok := strings.Cut(key, "/"); ok {
		return rest
	}
	return key
}

// oneLine makes a line of a text, for lists with one a line: line ends and backslashes are written
// as \n, \r and \\.
func oneLine(s string) string { return lineEscapes.Replace(s) }

var lineEscapes = strings.NewReplacer("\\", `\\`, "\n", `\n`, "\r", `\r`)
