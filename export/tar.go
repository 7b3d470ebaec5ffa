package export

import (
	"fmt"
	"strings"
)

// POSIX.1-1988 ustar: blocks of 512 bytes, 20 to a record.
const (
	tarBlock  = 512
	tarRecord = 20 * tarBlock

	tarNameLen, tarPrefixLen = 100, 155
	maxTarFile               = 1<<33 - 1 // 11 octal digits
)

// appendMember appends a regular file to a tar archive: mode 0644, nobody's, of the year 1970.
//
//	offset 0    100 bytes  name
//	       100  3 x 8      mode, uid, gid: octal digits and a zero
//	       124  2 x 12     size, mtime
//	       148  8          checksum: sum of the header's bytes with spaces here; six digits, zero, space
//	       156  1          type '0', a regular file
//	       257  8          "ustar", zero, "00"
//	       345  155        prefix: what of a long name comes before name, without the slash between
func appendMember(dst []byte, name string, data []byte) ([]byte, error) {
	prefix := ""
	if len(name) > tarNameLen {
		at := strings.LastIndexByte(name[:min(len(name), tarPrefixLen+1)], '/')
		if at < 0 || len(name)-at-1 > tarNameLen || at == len(name)-1 {
			return dst, fmt.Errorf("name of %d bytes does not fit into a tar archive", len(name))
		}
		prefix, name = name[:at], name[at+1:]
	}
	if int64(len(data)) > maxTarFile {
		return dst, fmt.Errorf("%d bytes do not fit into a tar archive", len(data))
	}
	start := len(dst)
	dst = append(dst, make([]byte, tarBlock)...)
	h := dst[start:]
	copy(h, name)
	copy(h[100:], "0000644\x00")
	copy(h[108:], "0000000\x00")
	copy(h[116:], "0000000\x00")
	octal(h[124:135], int64(len(data)))
	octal(h[136:147], 0)
	copy(h[148:], "        ")
	h[156] = '0'
	copy(h[257:], "ustar\x0000")
	copy(h[345:], prefix)
	sum := int64(0)
	for _, c := range h {
		sum += int64(c)
	}
	octal(h[148:154], sum)
	h[154] = 0
	dst = append(dst, data...)
	if rest := len(data) % tarBlock; rest != 0 {
		dst = append(dst, make([]byte, tarBlock-rest)...)
	}
	return dst, nil
}

// octal fills b with the digits of v.
func octal(b []byte, v int64) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = '0' + byte(v&7)
		v >>= 3
	}
}
