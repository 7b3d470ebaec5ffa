package manifest

import (
	"io"
	"strings"
)

// The columns of loose_bb_*.csv and loose_landmark_*.csv.
var (
	boxColumns      = []string{"NAME_ID", "X", "Y", "W", "H"}
	landmarkColumns = []string{"NAME_ID", "P1X", "P1Y", "P2X", "P2Y", "P3X", "P3Y", "P4X", "P4Y", "P5X", "P5Y"}
)

// maxCoordinate bounds coordinates, in pixels; a JPEG has at most 65,535 a side.
const maxCoordinate = 1 << 20

// parseBoxes reads loose_bb_{train,test}.csv:
//
//	NAME_ID,X,Y,W,H
//	"n000001/0001_01",60,60,79,109
//
// in pixels of the stored image. values holds X, Y, W, H and is valid during the call only.
func parseBoxes(r io.Reader, name string, log *problemLog, each func(line int, identity []byte, image, fc int32, values []float32)) error {
	return parseTable(r, name, log, boxColumns, each)
}

// parseLandmarks reads loose_landmark_{train,test}.csv:
//
//	NAME_ID,P1X,P1Y,P2X,P2Y,P3X,P3Y,P4X,P4Y,P5X,P5Y
//	"n000001/0001_01",75.81253,110.2077,103.1778,104.6074,...
//
// The files print 7 digits (%.7g), which a float32 holds.
func parseLandmarks(r io.Reader, name string, log *problemLog, each func(line int, identity []byte, image, fc int32, values []float32)) error {
	return parseTable(r, name, log, landmarkColumns, each)
}

// parseTable reads a NAME_ID and numbers a line. The header may be absent, or come again where
// files were concatenated; one that names other columns is an error, since the numbers would be
// taken for what they are not.
func parseTable(r io.Reader, name string, log *problemLog, columns []string, each func(line int, identity []byte, image, fc int32, values []float32)) error {
	return newSource(r, name, log).table(r, columns, each)
}

func (s *source) table(r io.Reader, columns []string, each func(line int, identity []byte, image, fc int32, values []float32)) error {
	values := make([]float32, len(columns)-1)
	regular := shape{numbers: len(values), low: -maxCoordinate, high: maxCoordinate}
	return s.run(r, &regular, func(identity []byte, l *line, values []float32) bool {
		each(s.lines.n, identity, l.image, l.face, values)
		return true
	}, func(b []byte) error {
		f := s.cut(b)
		if len(f) == 0 {
			return nil
		}
		if s.header(f[0], columns[0]) {
			if !s.columnsAgree(f, columns) {
				return Problem{File: s.name, Line: s.lines.n, Detail: "columns " + joinFields(f) + ", want " + strings.Join(columns, ",")}.err()
			}
			if s.seen > 1 {
				s.note(SecondHeader, "header in mid-file")
			}
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
		if len(f) != len(columns) {
			s.reject("%d fields, want %d", len(f), len(columns))
			return nil
		}
		for i := range values {
			v, ok := parseNumber(f[i+1])
			if !ok {
				s.reject("%s: %q is not a number", columns[i+1], f[i+1])
				return nil
			}
			if v < -maxCoordinate || v > maxCoordinate {
				s.reject("%s: %q lies outside any image", columns[i+1], f[i+1])
				return nil
			}
			values[i] = float32(v)
		}
		s.good++
		each(s.lines.n, identity, image, fc, values)
		return nil
	})
}

func joinFields(f [][]byte) string {
	var b strings.Builder
	for i, x := range f {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(x)
	}
	return b.String()
}
