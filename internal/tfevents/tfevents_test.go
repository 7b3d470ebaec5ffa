package tfevents

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
)

type event struct {
	Version string
	Step    int64
	Values  []Scalar
}

// readAll is a reader of its own: it knows the messages' fields from TensorFlow's event.proto
// and summary.proto and refuses any other.
func readAll(t *testing.T, path string) (events []event) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for {
		_, err := readRecord(f, func(b []byte) { events = append(events, decode(t, b)) })
		if err == io.EOF {
			return events
		}
		if err != nil {
			t.Fatalf("%s: record %d: %v", path, len(events), err)
		}
	}
}

func decode(t *testing.T, b []byte) (e event) {
	t.Helper()
	for len(b) > 0 {
		num, _, n := protowire.ConsumeTag(b)
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		b = b[n:]
		switch num {
		case 1:
			v, n := protowire.ConsumeFixed64(b)
			if s := math.Float64frombits(v); s < 1.7e9 || s > 1e11 {
				t.Fatalf("wall_time %v is no time of this century in seconds", s)
			}
			b = b[n:]
		case 2:
			v, n := protowire.ConsumeVarint(b)
			e.Step, b = int64(v), b[n:]
		case 3:
			v, n := protowire.ConsumeString(b)
			e.Version, b = v, b[n:]
		case 5:
			v, n := protowire.ConsumeBytes(b)
			b = b[n:]
			for len(v) > 0 {
				_, _, n := protowire.ConsumeTag(v)
				value, m := protowire.ConsumeBytes(v[n:])
				v = v[n+m:]
				e.Values = append(e.Values, decodeValue(t, value))
			}
		default:
			t.Fatalf("event with field %d", num)
		}
	}
	return e
}

func decodeValue(t *testing.T, b []byte) (s Scalar) {
	t.Helper()
	for len(b) > 0 {
		num, _, n := protowire.ConsumeTag(b)
		b = b[n:]
		switch num {
		case 1:
			v, n := protowire.ConsumeString(b)
			s.Tag, b = v, b[n:]
		case 2:
			v, n := protowire.ConsumeFixed32(b)
			s.Value, b = float64(math.Float32frombits(v)), b[n:]
		default:
			t.Fatalf("value with field %d", num)
		}
	}
	return s
}

func write(t *testing.T, path string, keep int64, steps ...int64) (sizes []int64) {
	t.Helper()
	w, err := Open(path, keep)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for _, s := range steps {
		if err := w.Scalars(s, Scalar{"train/loss", float64(s) / 2}, Scalar{"train/accuracy", 0}); err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, w.Size())
	}
	return sizes
}

func stepsOf(events []event) (steps []int64) {
	for _, e := range events[1:] {
		steps = append(steps, e.Step)
	}
	return steps
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), Name)
	write(t, path, -1, 0, 1, 300, 1<<40)
	want := []event{{Version: "brain.Event:2"}}
	for _, s := range []int64{0, 1, 300, 1 << 40} {
		want = append(want, event{Step: s, Values: []Scalar{{"train/loss", float64(float32(s) / 2)}, {"train/accuracy", 0}}})
	}
	if diff := cmp.Diff(want, readAll(t, path)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// The number is what TensorBoard 2.21's own masked_crc32c gives.
func TestMask(t *testing.T) {
	if got, want := masked([]byte("123456789")), uint32(0xc78ab0e5); got != want {
		t.Errorf("masked = %08x, want %08x", got, want)
	}
}

// A resumed run must neither lose nor double a step.
func TestContinueFromACheckpoint(t *testing.T) {
	path := filepath.Join(t.TempDir(), Name)
	sizes := write(t, path, -1, 10, 20, 30, 40)
	before, _ := os.ReadFile(path)
	write(t, path, sizes[1], 30, 40, 50)
	if got, want := stepsOf(readAll(t, path)), []int64{10, 20, 30, 40, 50}; !cmp.Equal(got, want) {
		t.Errorf("steps = %v, want %v", got, want)
	}
	after, _ := os.ReadFile(path)
	if len(after) <= len(before) || !bytes.Equal(after[:sizes[1]], before[:sizes[1]]) {
		t.Error("the bytes before the checkpoint changed")
	}
}

func TestContinueAfterDamage(t *testing.T) {
	dir := t.TempDir()
	whole := filepath.Join(dir, "whole")
	sizes := write(t, whole, -1, 10, 20, 30)
	b, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(b) + 1 {
		path := filepath.Join(dir, "cut")
		if err := os.WriteFile(path, b[:cut], 0o644); err != nil {
			t.Fatal(err)
		}
		write(t, path, -1, 99)
		want := []int64{}
		for i, s := range sizes {
			if int64(cut) >= s {
				want = append(want, int64(10*(i+1)))
			}
		}
		if got := stepsOf(readAll(t, path)); !cmp.Equal(got, append(want, 99)) {
			t.Fatalf("cut to %d bytes: steps = %v, want %v", cut, got, append(want, 99))
		}
	}
	flipped := bytes.Clone(b)
	flipped[sizes[0]+20] ^= 1
	path := filepath.Join(dir, "flipped")
	if err := os.WriteFile(path, flipped, 0o644); err != nil {
		t.Fatal(err)
	}
	write(t, path, -1, 99)
	if got, want := stepsOf(readAll(t, path)), []int64{10, 99}; !cmp.Equal(got, want) {
		t.Errorf("one flipped bit: steps = %v, want %v", got, want)
	}
}

func TestOpenError(t *testing.T) {
	if _, err := Open(filepath.Join(t.TempDir(), "none", Name), -1); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Open in no directory = %v, want os.ErrNotExist", err)
	}
}

func FuzzReadRecord(f *testing.F) {
	path := filepath.Join(f.TempDir(), Name)
	w, err := Open(path, -1)
	if err != nil {
		f.Fatal(err)
	}
	_ = w.Scalars(7, Scalar{"a", 1})
	w.Close()
	b, _ := os.ReadFile(path)
	f.Add(b)
	f.Add(b[:20])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := readRecord(bytes.NewReader(b), nil)
		if err == nil && (n <= recordHead || n > int64(len(b))) {
			t.Errorf("a record of %d bytes in %d", n, len(b))
		}
		if err != nil && err != io.EOF && !errors.Is(err, errRecord) {
			t.Errorf("error %v", err)
		}
	})
}
