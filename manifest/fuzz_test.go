package manifest

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var fuzzSeeds = []string{
	"Class_ID, Name, Sample_Num, Flag, Gender\nn000658, \"Anne,_Princess_Royal\", 440, 0, f\nn000659,\" \"\"Anne-Marie_Duff\"\"\",0, f,\r\n",
	"\xef\xbb\xbfn000001, \"14th_Dalai_Lama\", 424, 0, m, 61\n",
	"NAME_ID,X,Y,W,H\n\"n000001/0001_01\",60,-60,79,109\nNAME_ID,X,Y,W,H\n",
	"NAME_ID,P1X,P1Y,P2X,P2Y,P3X,P3Y,P4X,P4Y,P5X,P5Y\n\"n000001/0001_01\",75.81253,110.2077,1e-5,4,5,6,7,8,9,.5\n",
	"n000002/0001_01.jpg\r\ntrain\\n000002\\0001_01.jpg 7\n",
	"NAME_ID,SOURCE,AGE\nn1/0001_01,a,\nn1/0002_01,b,7\nClass_ID,age\nn1,40\n",
	"n000002/0032_01.jpg\t0\r\n",
	"Filename,Identity,Male,Young\nn000002/0001_01.jpg,n000002,1,-1\n",
	"\"", "\"\"\"", ",,,\n\"a\"b,\n", "Filename",
}

// fuzzParser checks what holds for every parser: no panic, the same result twice, and each line
// either good, counted or a header.
func fuzzParser(f *testing.F, parse func(b []byte, log *problemLog, check func(identity []byte, image, fc int32)) error) {
	for _, s := range fuzzSeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		run := func() (n int, log *problemLog, err error) {
			log = newProblemLog()
			err = parse(bytes.Clone(b), log, func(identity []byte, image, fc int32) {
				n++
				id := ImageID{string(identity), image, fc}
				if !validIdentity(identity) {
					t.Errorf("identity %q", identity)
				}
				if got, err := ParseImageID(id.String()); err != nil || got != id {
					t.Errorf("%v does not survive its text: %v, %v", id, got, err)
				}
			})
			return n, log, err
		}
		n, log, err := run()
		again, _, _ := run()
		if n != again {
			t.Errorf("%d rows, then %d", n, again)
		}
		lines := int64(bytes.Count(b, []byte("\n")) + 1)
		var told int64
		for _, k := range log.counts {
			told += k
		}
		if int64(n) > lines || told > 2*lines {
			t.Errorf("%d rows and %d problems from %d lines", n, told, lines)
		}
		if err == nil && n == 0 && log.counts[BadLine] > 0 {
			t.Error("no good line and no error")
		}
	})
}

func FuzzIdentityMeta(f *testing.F) {
	fuzzParser(f, func(b []byte, log *problemLog, check func([]byte, int32, int32)) error {
		return parseIdentityMeta(bytes.NewReader(b), "f", log, func(_ int, id Identity) {
			check([]byte(id.ID), 1, 1)
			if id.Samples < -1 || id.Gender == GenderUnknown || id.Subset != Train && id.Subset != Test || len(id.Name) > 3*maxName {
				panic(id)
			}
		})
	})
}

func FuzzBoxes(f *testing.F) {
	fuzzParser(f, func(b []byte, log *problemLog, check func([]byte, int32, int32)) error {
		return parseBoxes(bytes.NewReader(b), "f", log, func(_ int, id []byte, image, fc int32, v []float32) {
			check(id, image, fc)
			for _, x := range v {
				if !(math.Abs(float64(x)) <= maxCoordinate) {
					panic(x)
				}
			}
		})
	})
}

func FuzzLandmarks(f *testing.F) {
	fuzzParser(f, func(b []byte, log *problemLog, check func([]byte, int32, int32)) error {
		return parseLandmarks(bytes.NewReader(b), "f", log, func(_ int, id []byte, image, fc int32, _ []float32) { check(id, image, fc) })
	})
}

func FuzzList(f *testing.F) {
	fuzzParser(f, func(b []byte, log *problemLog, check func([]byte, int32, int32)) error {
		return parseList(bytes.NewReader(b), "f", log, func(_ int, id []byte, image, fc int32) { check(id, image, fc) })
	})
}

func FuzzImageAges(f *testing.F) {
	f.Add([]byte("n1/0001_01\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = parseImageAges(bytes.NewReader(b), "f", newProblemLog(), func(_ int, _ []byte, _, _ int32, age float32) {
			if !(age >= 0 && age <= maxAge) {
				t.Errorf("age %v", age)
			}
		})
	})
}

func FuzzIdentityAges(f *testing.F) {
	for _, s := range fuzzSeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = parseIdentityAges(bytes.NewReader(b), "f", newProblemLog(), func(_ int, id Identity) {
			if id.Age < 0 || id.Age > maxAge {
				t.Errorf("age %v", id.Age)
			}
		})
	})
}

func FuzzAttribute(f *testing.F) {
	fuzzParser(f, func(b []byte, log *problemLog, check func([]byte, int32, int32)) error {
		return parseAttribute(bytes.NewReader(b), "f", log, func(_ int, id []byte, image, fc int32, _ bool) { check(id, image, fc) })
	})
}

func FuzzMAAD(f *testing.F) {
	fuzzParser(f, func(b []byte, log *problemLog, check func([]byte, int32, int32)) error {
		return parseMAAD(bytes.NewReader(b), "f", log, func([]string) error { return nil },
			func(_ int, id []byte, image, fc int32, known, yes uint64) {
				check(id, image, fc)
				if yes&^known != 0 {
					panic("a value that is not known")
				}
			})
	})
}

func FuzzUTKName(f *testing.F) {
	for _, s := range []string{"26_1_3_20170116174525125.jpg.chip.jpg", "61_1_20170109142408075.jpg.chip.jpg", "0_0_0_1.JPEG", "1_1_1_1.chip.jpg", ".jpg", "116_0_4_99999999999999999999.jpg"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := parseUTKName(s)
		if err != nil {
			return
		}
		if n.age < 0 || n.age > maxUTKAge || n.gender != Male && n.gender != Female || n.race < 0 || n.race >= len(utkRaces) || !strings.HasPrefix(s, n.stem) {
			t.Errorf("parseUTKName(%q) = %+v", s, n)
		}
		id := ImageID{n.stem, 1, 1}
		if got, err := ParseImageID(id.String()); err != nil || got != id {
			t.Errorf("%v does not survive its text: %v, %v", id, got, err)
		}
	})
}

// Whatever files are called, each gets a number of its own and the numbers are in order; the
// order of the names given does not matter.
func FuzzNumberFiles(f *testing.F) {
	for _, s := range []string{"0001_01\n0001_02", "Ana_0010\nAna_0009", "7\n07\n007", "a\nb1\n", "2-FaceId-0\n10-FaceId-0", "1234567890\n1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		names := strings.Split(s, "\n")
		slices.Sort(names)
		names = slices.Compact(names)
		for i := range names {
			names[i] += ".jpg"
		}
		again := slices.Clone(names)
		slices.Reverse(again)
		keys := numberFiles(names)
		if !slices.Equal(keys, numberFiles(again)) || !slices.Equal(names, again) || len(keys) != len(names) {
			t.Errorf("%q: %v, then %q", names, keys, again)
		}
		for i, key := range keys {
			if i > 0 && keys[i-1] >= key {
				t.Errorf("%q: %d after %d", names, key, keys[i-1])
			}
			id := ImageID{"n", int32(key >> 32), int32(uint32(key))}
			if got, err := ParseImageID(id.String()); err != nil || got != id {
				t.Errorf("%v does not survive its text: %v, %v", id, got, err)
			}
		}
	})
}

func FuzzBoxesByPath(f *testing.F) {
	for _, s := range append(fuzzSeeds, "path,x,y,w,h\nAna Müller/a.jpg,1,2,3,4\n", "x\\Ana Müller\\a,1,2,3,4\nAna Müller/b,1,2,3,4\n", "\"Ana Müller/b.JPG\",NaN,1,1,1\n") {
		f.Add([]byte(s))
	}
	st := newStore()
	p := st.person([]byte("Ana Müller"), true)
	p.names = []string{"a.jpg", "b.JPG", "b.jpg"}
	for _, key := range numberFiles(p.names) {
		p.add(key)
	}
	b := &builder{o: BuildOptions{Layout: Folders}, store: st}
	f.Fuzz(func(t *testing.T, text []byte) {
		s := newSource(bytes.NewReader(text), "f", newProblemLog())
		s.find, s.lost = b.findPath, BoxNoImage
		_ = s.table(bytes.NewReader(text), boxColumns, func(_ int, id []byte, image, fc int32, v []float32) {
			if _, r := st.row(id, image, fc, false); r == nil {
				t.Errorf("%s/%d_%d is not there", id, image, fc)
			}
			for _, x := range v {
				if !(math.Abs(float64(x)) <= maxCoordinate) {
					t.Errorf("coordinate %v", x)
				}
			}
		})
	})
}

// The quick reader of numbers must agree with strconv wherever it reads one.
func FuzzParseNumber(f *testing.F) {
	for _, s := range []string{"0", "-1.5", "75.81253", "123456789012345", "1e-7", "0.000000000000001"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := parseNumber([]byte(s))
		if !ok {
			return
		}
		if want, err := strconv.ParseFloat(s, 64); err != nil || want != got {
			t.Errorf("parseNumber(%q) = %v, strconv says %v, %v", s, got, want, err)
		}
	})
}

func FuzzOpen(f *testing.F) {
	path := filepath.Join(f.TempDir(), "m.parquet")
	if err := Write(path, sampleManifest()); err != nil {
		f.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) {
				t.Errorf("open = %v, want an error that wraps ErrCorrupt or ErrVersion", err)
			}
			return
		}
		for rec, err := range r.All() {
			if err != nil {
				if !errors.Is(err, ErrCorrupt) {
					t.Errorf("All = %v, want an error that wraps ErrCorrupt", err)
				}
				return
			}
			if !filepath.IsLocal(rec.Path) {
				t.Errorf("path %q leaves the root", rec.Path)
			}
		}
	})
}
