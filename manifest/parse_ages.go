package manifest

import (
	"errors"
	"io"
)

var ageShape = shape{numbers: 1, low: 0, high: maxAge}

// parseImageAges reads a CSV of NAME_ID and age in years, with or without a header. Where the
// header names a column AGE that one is read, else the second. Rows with an empty age are passed
// over: they say that it is unknown.
func parseImageAges(r io.Reader, name string, log *problemLog, each func(line int, identity []byte, image, fc int32, age float32)) error {
	s := newSource(r, name, log)
	col := 1
	return s.run(r, &ageShape, func(identity []byte, l *line, values []float32) bool {
		if col != 1 {
			return false
		}
		each(s.lines.n, identity, l.image, l.face, values[0])
		return true
	}, func(b []byte) error {
		f := s.cut(b)
		if len(f) == 0 {
			return nil
		}
		if s.header(f[0], "name_id", "filename", "image") {
			if s.seen > 1 {
				s.note(SecondHeader, "header in mid-file")
			}
			col = ageColumn(f)
			return nil
		}
		identity, image, fc, ok := s.id(f[0])
		if !ok && s.missing(f[0]) {
			return nil
		}
		if !ok {
			s.reject("NAME_ID: %q is no image such as n000002/0001_01", f[0])
			return nil
		}
		if len(f) <= col || len(f[col]) == 0 {
			if col == 1 && len(f) == 1 && s.good == 0 {
				s.reject("%d fields, want NAME_ID and age", len(f))
			}
			return nil
		}
		age, ok := parseAge(f[col])
		if !ok {
			s.reject("age: %q is no age from 0 to %d", f[col], maxAge)
			return nil
		}
		s.good++
		each(s.lines.n, identity, image, fc, age)
		return nil
	})
}

func ageColumn(header [][]byte) int {
	for i, h := range header {
		if i > 0 && isHeader(h, "age", "age_pred", "estimated_age", "mean_age") {
			return i
		}
	}
	return 1
}

var errNotTwoColumns = errors.New("not Class_ID and age")

// parseIdentityAges reads mean ages of identities: identity_meta.csv with its sixth column, or
// two columns Class_ID and age.
func parseIdentityAges(r io.ReadSeeker, name string, log *problemLog, each func(line int, id Identity)) error {
	trial := newProblemLog()
	err := parseTwoColumnAges(r, name, trial, each)
	if errors.Is(err, errNotTwoColumns) {
		if _, err := r.Seek(0, io.SeekStart); err != nil {
			return err
		}
		return parseIdentityMeta(r, name, log, each)
	}
	log.merge(trial)
	return err
}

func parseTwoColumnAges(r io.Reader, name string, log *problemLog, each func(line int, id Identity)) error {
	s := newSource(r, name, log)
	for {
		f, err := s.nextFields()
		if err != nil {
			return s.end(err)
		}
		if s.good == 0 && len(f) >= 4 {
			return errNotTwoColumns
		}
		if isHeader(f[0], "class_id", "identity", "id") {
			if s.seen > 1 {
				s.note(SecondHeader, "header in mid-file")
			}
			continue
		}
		switch {
		case !s.person(f[0]):
			s.reject("Class_ID: %q is no identity such as n000002", f[0])
		case len(f) < 2:
			s.reject("%d fields, want Class_ID and age", len(f))
		default:
			age, ok := parseAge(f[1])
			if !ok {
				s.reject("age: %q is no age from 0 to %d", f[1], maxAge)
				continue
			}
			s.good++
			each(s.lines.n, Identity{ID: string(f[0]), Samples: -1, Gender: GenderUnknown, Age: age})
		}
	}
}
