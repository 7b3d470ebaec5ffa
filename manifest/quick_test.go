package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

var shapes = []shape{listShape, ageShape, {numbers: 4, low: -maxCoordinate, high: maxCoordinate}, {numbers: 10, low: -maxCoordinate, high: maxCoordinate}}

// checkQuick holds the lines that blocks give against those of the plain reader, and what quick
// makes of a line against what the parsers make of it.
func checkQuick(t *testing.T, text []byte, wrap func(io.Reader) io.Reader) {
	t.Helper()
	for i := range shapes {
		s := &shapes[i]
		want := newLines(bytes.NewReader(text))
		from := &blocks{r: wrap(bytes.NewReader(text))}
		var b block
		for n := 0; from.next(&b); {
			b.scan(s)
			values := b.values
			for _, l := range b.lines {
				n++
				line, err := want.next()
				if (l.kind == lineLong) != errors.Is(err, errLong) || err != nil && !errors.Is(err, errLong) {
					t.Fatalf("line %d: kind %d, want %v", n, l.kind, err)
				}
				if err != nil {
					continue
				}
				got := b.buf[l.start:l.end]
				if n == 1 {
					got = bytes.TrimPrefix(got, []byte(byteOrderMark))
				}
				if !bytes.Equal(got, line) {
					t.Fatalf("line %d is %q, want %q", n, got, line)
				}
				if l.kind != lineGood {
					continue
				}
				fields := [][]byte{line}
				if s.numbers > 0 {
					if fields, err = split(nil, bytes.Clone(line)); err != nil {
						t.Fatalf("line %d, %q: %v", n, line, err)
					}
				}
				identity, image, fc, ok := parseLooseID(bytes.Clone(fields[0]))
				if !ok || string(identity) != string(b.buf[l.id:l.slash]) || image != l.image || fc != l.face || len(fields) != 1+s.numbers {
					t.Fatalf("line %d, %q: %s %d %d", n, line, b.buf[l.id:l.slash], l.image, l.face)
				}
				for k, f := range fields[1:] {
					v, ok := parseNumber(f)
					if !ok || math.Float32bits(float32(v)) != math.Float32bits(values[k]) || v < s.low || v > s.high {
						t.Fatalf("line %d, %q: number %d is %v, want %v", n, line, k, values[k], v)
					}
				}
				values = values[s.numbers:]
			}
			if len(values) > 0 {
				t.Fatalf("%d values too many", len(values))
			}
		}
		if line, err := want.next(); !errors.Is(err, io.EOF) {
			t.Fatalf("lines end before %q, %v", line, err)
		}
	}
}

func TestQuickAgreesWithTheParsers(t *testing.T) {
	plain := func(r io.Reader) io.Reader { return r }
	for _, s := range fuzzSeeds {
		checkQuick(t, []byte(s), plain)
		checkQuick(t, []byte(s), iotest.DataErrReader)
	}
	row := "\"n000001/0001_01\",60,-60.25,79,1.5\nn000002/10000_100,1,2,3,4\r\n"
	for _, text := range []string{
		strings.Repeat(row, 20000), // many blocks
		strings.Repeat("n000002/0001_01.jpg\r\n", 50000),
		row + strings.Repeat("x", maxLine-1) + "\n" + row,
		row + strings.Repeat("x", maxLine) + "\n" + row,
		row + strings.Repeat("x", maxLine-1),
		row + strings.Repeat("x", maxLine),
		row + strings.Repeat("x", blockSize) + "\n" + row,
		row + strings.Repeat("x", 3*blockSize) + "\n" + row,
		strings.Repeat("x", blockSize) + "\n" + row,
		strings.Repeat("x", blockSize-1) + "\n" + row,
		strings.Repeat("x", 3*blockSize),
		row + "n1/0001_01,1,2,3,4", row + "\n\n \r\n\r", "n1/0001_01\x00,1,2,3,4\n",
		"n1/01_01,1,2,3,4\nn1/00001_01,1,2,3,4\nn1/0001_1,1,2,3,4\nn1/0001_01,1,2,3\nn1/0001_01,1,2,3,4,\nn1/0001_01,1,2,3,4,5\n",
		"n1/0001_01,+1,2,.5,5.\nn1/0001_01,1.2.3,2,3,4\nn1/0001_01,1e3,2,3,4\nn1/0001_01,1234567890123456,2,3,4\nn1/0001_01,-0,-.5,0.000000000000001,1048576\nn1/0001_01,1,2,3,1048576.5\n",
		"\"n1/0001_01,1,2,3,4\nn1/0001_01\",1,2,3,4\n-n/0001_01,1,2,3,4\nn1/1234567890_01,1,2,3,4\n",
	} {
		checkQuick(t, []byte(text), plain)
		checkQuick(t, []byte(text), iotest.DataErrReader)
	}
}

func FuzzQuick(f *testing.F) {
	for _, s := range fuzzSeeds {
		f.Add([]byte(s))
	}
	f.Add([]byte("n1/0001_01,1,-2.5,3,4\n\"n1/0002_01\",1,2.,.3,4\r\nn1/0001_01.jpg\nn1/0001_01,30\n"))
	f.Fuzz(func(t *testing.T, b []byte) { checkQuick(t, b, func(r io.Reader) io.Reader { return r }) })
}

// Problems, their lines and the rows come in the file's order with any number of workers.
func TestWorkersReadInOrder(t *testing.T) {
	var text strings.Builder
	for i := range 60000 {
		switch {
		case i%7919 == 5:
			fmt.Fprintf(&text, "n%06d/%04d_01,1,x,3,4\n", i/100, i%100)
		case i%1000 == 3:
			fmt.Fprintf(&text, "n%06d/%04d_01.jpg, 1,2,3,4,\n\n", i/100, i%100)
		default:
			fmt.Fprintf(&text, "\"n%06d/%04d_01\",1,-2.5,3,%d\n", i/100, i%100, i)
		}
	}
	read := func(workers int) (rows []string, log *problemLog) {
		log = newProblemLog()
		in := textInput(t, text.String(), workers)
		if err := parseBoxes(in, "b", log, func(line int, identity []byte, image, fc int32, v []float32) {
			rows = append(rows, fmt.Sprint(line, string(identity), image, fc, v))
		}); err != nil {
			t.Fatal(err)
		}
		return rows, log
	}
	want, wantLog := read(1)
	if n := wantLog.counts[BadLine]; len(want)+int(n) != 60000 || n != 8 {
		t.Fatalf("%d rows, %d bad, want 60000 in all and 8 bad", len(want), n)
	}
	for _, workers := range []int{2, 7} {
		got, log := read(workers)
		if !slices.Equal(got, want) || fmt.Sprint(log) != fmt.Sprint(wantLog) {
			t.Errorf("%d workers read other rows or problems than 1", workers)
		}
	}
}

// textInput returns a file of the text as an input.
func textInput(t *testing.T, text string, workers int) *inputFile {
	path := filepath.Join(t.TempDir(), "in.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	in, err := openInput(t.Context(), "", kindBoxes, path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.f.Close() })
	in.workers = workers
	return in
}

func TestReadErrorTellsTheLine(t *testing.T) {
	broken := errors.New("broken")
	text := strings.Repeat("n1/0001_01,1,2,3,4\n", 3) + "n1/0002"
	r := io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken))
	err := parseBoxes(r, "b", newProblemLog(), func(int, []byte, int32, int32, []float32) {})
	if !errors.Is(err, broken) || err.Error() != "b:4: broken" {
		t.Errorf("parseBoxes = %v, want b:4: broken", err)
	}
}
