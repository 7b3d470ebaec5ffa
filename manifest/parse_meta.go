package manifest

import (
	"bytes"
	"io"
	"strconv"
	"strings"
)

const (
	maxName    = 256 // bytes of a person's name
	maxAge     = 130 // years
	maxSamples = 1 << 24
)

// parseIdentityMeta reads identity_meta.csv in every form that is known:
//
//	Class_ID, Name, Sample_Num, Flag, Gender
//	n000001, "14th_Dalai_Lama", 424, 0, m
//	n000001, "14th_Dalai_Lama",424,0, m,          later release: a comma ends most rows
//	n000001," ""14th_Dalai_Lama""",424,0, m       saved again by a spreadsheet
//	n000659," ""Anne-Marie_Duff""",0, f,          Sample_Num lost, columns shifted left
//	n000001, "14th_Dalai_Lama", 424, 0, m, 61     with an estimated mean age, in years
//
// with or without the header. Names may hold commas, so the columns behind the name are counted
// from the end. each may keep the Identity.
func parseIdentityMeta(r io.Reader, name string, log *problemLog, each func(line int, id Identity)) error {
	s := newSource(r, name, log)
	for {
		f, err := s.nextFields()
		if err != nil {
			return s.end(err)
		}
		if isHeader(f[0], "class_id", "identity", "id") {
			if s.seen > 1 {
				s.note(SecondHeader, "header in mid-file")
			}
			continue
		}
		id := Identity{Samples: -1, Gender: GenderUnknown, Age: unknownAge()}
		if !s.person(f[0]) {
			s.reject("Class_ID: %q is no identity such as n000002", f[0])
			continue
		}
		id.ID = string(f[0])
		rest := f[1:]
		if n := len(rest); n >= 2 && parseGender(rest[n-1]) == GenderUnknown && parseGender(rest[n-2]) != GenderUnknown {
			age, ok := parseAge(rest[n-1])
			if !ok {
				s.reject("age: %q is no age from 0 to %d", rest[n-1], maxAge)
				continue
			}
			id.Age = age
			rest = rest[:n-1]
		}
		if len(rest) < 2 {
			s.reject("%d fields, want Class_ID, Name, Sample_Num, Flag, Gender", len(f))
			continue
		}
		last := len(rest) - 1
		if id.Gender = parseGender(rest[last]); id.Gender == GenderUnknown {
			s.reject("Gender: %q is neither m nor f", rest[last])
			continue
		}
		switch flag := rest[last-1]; string(flag) {
		case "1":
			id.Subset = Train
		case "0":
			id.Subset = Test
		default:
			s.reject("Flag: %q is neither 0 nor 1", flag)
			continue
		}
		rest = rest[:last-1]
		// Two fields are left, name and Sample_Num; one where Sample_Num is lost. Which one is
		// seen from the last: a name is hardly ever a number.
		if n := len(rest); n > 1 {
			if samples, err := strconv.Atoi(string(rest[n-1])); err == nil && samples >= 0 && samples <= maxSamples {
				id.Samples = samples
				rest = rest[:n-1]
			} else if err == nil {
				s.reject("Sample_Num: %q is no count of images", rest[n-1])
				continue
			} else if n == 2 {
				s.reject("Sample_Num: %q is not a number", rest[n-1])
				continue
			}
		}
		if id.Samples < 0 {
			s.note(MissingSampleNum, "%s has no Sample_Num", id.ID)
		}
		id.Name = cleanName(bytes.Join(rest, []byte(",")))
		s.good++
		each(s.lines.n, id)
	}
}

// cleanName takes off the second layer of quotes that a spreadsheet puts around a name.
func cleanName(b []byte) string {
	b = bytes.Trim(b, " \t\"")
	if len(b) > maxName {
		b = b[:maxName]
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}

func isHeader(field []byte, names ...string) bool {
	for _, n := range names {
		if bytes.EqualFold(field, []byte(n)) {
			return true
		}
	}
	return false
}

func parseAge(b []byte) (float32, bool) {
	v, ok := parseNumber(b)
	if !ok || v < 0 || v > maxAge {
		return unknownAge(), false
	}
	return float32(v), true
}
