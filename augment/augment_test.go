package augment

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/rng"
)

func sample(n int) []uint8 {
	r := rng.Stream(1, "sample", n)
	b := make([]uint8, n)
	for i := range b {
		b[i] = uint8(r.Uint64())
	}
	return b
}

func parse(t testing.TB, spec string) *Pipeline {
	t.Helper()
	p, err := Parse(spec)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func apply(p *Pipeline, src []uint8, c, h, w int, seed uint64, epoch int, key string) []uint8 {
	oc, oh, ow := p.OutputShape(c, h, w)
	dst := make([]uint8, oc*oh*ow)
	p.Apply(dst, src, c, h, w, seed, epoch, key)
	return dst
}

const everything = "flip=0.5,crop=20x18,pad=3,jitter=0.4,monochrome=0.2,blur=0.5,sigma=0.4-2"

func TestDependsOnItsArgumentsOnly(t *testing.T) {
	p := parse(t, everything)
	src := sample(3 * 24 * 22)
	before := bytes.Clone(src)
	a := apply(p, src, 3, 24, 22, 7, 2, "n000002/0001_01")
	apply(p, sample(3*40*40), 3, 40, 40, 9, 1, "other") // other work in between, larger scratch
	if !bytes.Equal(a, apply(p, src, 3, 24, 22, 7, 2, "n000002/0001_01")) {
		t.Error("the same arguments give other bytes")
	}
	if !bytes.Equal(src, before) {
		t.Error("the source was changed")
	}
	for name, b := range map[string][]uint8{
		"seed":  apply(p, src, 3, 24, 22, 8, 2, "n000002/0001_01"),
		"epoch": apply(p, src, 3, 24, 22, 7, 3, "n000002/0001_01"),
		"key":   apply(p, src, 3, 24, 22, 7, 2, "n000002/0002_01"),
	} {
		if bytes.Equal(a, b) {
			t.Errorf("another %s gives the same bytes", name)
		}
	}
}

// The bytes of a training run depend on these; a change makes old runs irreproducible.
func TestGolden(t *testing.T) {
	p := parse(t, everything)
	d := digest.New()
	for e := range 50 {
		d.Write(apply(p, sample(3*24*22), 3, 24, 22, 1, e, "n000002/0001_01"))
	}
	const want = "xxh3-128:26e649e4481ebd4fadfe139be6645164"
	if got := d.String(); got != want {
		t.Errorf("digest = %s, want %s", got, want)
	}
}

func TestFlipTwiceIsNothing(t *testing.T) {
	p := parse(t, "flip=1")
	src := sample(3 * 5 * 7)
	once := apply(p, src, 3, 5, 7, 1, 1, "k")
	if once[0] != src[6] || once[6] != src[0] {
		t.Errorf("first row is %v, want %v reversed", once[:7], src[:7])
	}
	if twice := apply(p, once, 3, 5, 7, 1, 1, "k"); !bytes.Equal(twice, src) {
		t.Error("two flips differ from none")
	}
}

func TestNothingIsIdentity(t *testing.T) {
	src := sample(3 * 6 * 6)
	for _, p := range []*Pipeline{nil, {}, {SigmaLow: 1, SigmaHigh: 2}, {CropH: 6, CropW: 6}} {
		for e := range 20 {
			if !bytes.Equal(apply(p, src, 3, 6, 6, 1, e, "k"), src) {
				t.Fatalf("%v changes a sample", p)
			}
		}
	}
}

// Switching one change off leaves what the others do as it was.
func TestChangesAreIndependent(t *testing.T) {
	with, without := parse(t, "flip=0.5,crop=4x4,blur=0"), parse(t, "flip=0.5,crop=4x4,jitter=0")
	all := parse(t, "flip=0.5,crop=4x4,monochrome=0.5,jitter=0.3,blur=0.9")
	for e := range 30 {
		a, b, c := with.choose(9, 9, 4, 4, 1, e, "k"), without.choose(9, 9, 4, 4, 1, e, "k"), all.choose(9, 9, 4, 4, 1, e, "k")
		if a.flip != b.flip || a.flip != c.flip || a.x != b.x || a.x != c.x || a.y != c.y {
			t.Fatalf("epoch %d: %+v, %+v, %+v", e, a, b, c)
		}
	}
}

func TestCropReachesEverywhere(t *testing.T) {
	p := parse(t, "crop=3x2")
	src := sample(8 * 6)
	seen := map[string]bool{}
	for e := range 2000 {
		seen[string(apply(p, src, 1, 8, 6, 1, e, "k"))] = true
	}
	if len(seen) != 6*5 {
		t.Errorf("%d different windows, want %d", len(seen), 6*5)
	}
	for y := range 6 {
		for x := range 5 {
			var w []byte
			for j := range 3 {
				w = append(w, src[(y+j)*6+x:][:2]...)
			}
			if !seen[string(w)] {
				t.Errorf("the window at row %d, column %d was never seen", y, x)
			}
		}
	}
	dst := make([]uint8, 6)
	p.Center(dst, src, 1, 8, 6)
	if want := src[2*6+2:][:2]; !bytes.Equal(dst[:2], want) {
		t.Errorf("centre crop begins %v, want %v", dst[:2], want)
	}
}

func TestPadRepeatsTheEdge(t *testing.T) {
	p := parse(t, "pad=4")
	src := bytes.Repeat([]byte{9}, 25)
	for e := range 50 {
		if !bytes.Equal(apply(p, src, 1, 5, 5, 1, e, "k"), src) {
			t.Fatal("an even sample changes")
		}
	}
}

func TestMonochromeAndOrder(t *testing.T) {
	p := parse(t, "monochrome=1")
	src := sample(3 * 16)
	got := apply(p, src, 3, 4, 4, 1, 1, "k")
	if !bytes.Equal(got[:16], got[16:32]) || !bytes.Equal(got[:16], got[32:]) {
		t.Error("the planes differ")
	}
	// BGR samples change as RGB ones do.
	all := parse(t, "flip=0.5,jitter=0.5,monochrome=0.3,blur=0.5")
	swapped := append(append(append([]byte{}, src[32:]...), src[16:32]...), src[:16]...)
	for e := range 20 {
		a, b := apply(all, src, 3, 4, 4, 1, e, "k"), apply(all, swapped, 3, 4, 4, 1, e, "k")
		if !bytes.Equal(a[:16], b[32:]) || !bytes.Equal(a[16:32], b[16:32]) || !bytes.Equal(a[32:], b[:16]) {
			t.Fatal("order of planes changes the result")
		}
	}
	white := bytes.Repeat([]byte{255}, 48)
	if !bytes.Equal(apply(p, white, 3, 4, 4, 1, 1, "k"), white) {
		t.Error("white does not stay white")
	}
}

// Jitter against the obvious floating-point twin.
func TestJitterAgainstTwin(t *testing.T) {
	p := parse(t, "jitter=0.5")
	const n = 12 * 12
	src := sample(3 * n)
	for e := range 40 {
		got := apply(p, src, 3, 12, 12, 1, e, "k")
		do := p.choose(12, 12, 12, 12, 1, e, "k")
		fb, fc, fs := float64(do.brightness)/256, float64(do.contrast)/256, float64(do.saturation)/256
		clip := func(v float64) float64 { return min(max(v, 0), 255) }
		grey := func(v [3]float64) float64 { return (53*v[0] + 150*v[1] + 53*v[2]) / 256 }
		mean := 0.0
		for i := range n {
			mean += grey([3]float64{float64(src[i]), float64(src[n+i]), float64(src[2*n+i])}) * fb / n
		}
		worst := 0.0
		for i := range n {
			var v [3]float64
			for k := range v {
				v[k] = clip(mean + (clip(float64(src[k*n+i])*fb)-mean)*fc)
			}
			m := grey(v)
			for k := range v {
				worst = max(worst, math.Abs(clip(m+(v[k]-m)*fs)-float64(got[k*n+i])))
			}
		}
		if worst > 3 { // each of three steps rounds, and saturation enlarges what came before
			t.Errorf("epoch %d: %.1f levels off", e, worst)
		}
	}
}

func TestBlurAgainstTwin(t *testing.T) {
	const h, w = 17, 13
	src := sample(2 * h * w)
	for _, sixteenths := range []int{1, 8, 16, 24, 80} {
		got := bytes.Clone(src)
		blur(got, 2, h, w, sixteenths)
		s := float64(sixteenths) / 16
		r := max(1, int(math.Ceil(3*s)))
		for k := range 2 {
			for y := range h {
				for x := range w {
					sum, total := 0.0, 0.0
					for j := -r; j <= r; j++ {
						for i := -r; i <= r; i++ {
							g := math.Exp(-float64(i*i+j*j) / (2 * s * s))
							sum += g * float64(src[k*h*w+min(max(y+j, 0), h-1)*w+min(max(x+i, 0), w-1)])
							total += g
						}
					}
					if d := math.Abs(sum/total - float64(got[(k*h+y)*w+x])); d > 0.52 {
						t.Fatalf("sigma %g: (%d, %d) is %.2f levels off", s, x, y, d)
					}
				}
			}
		}
	}
	flat := bytes.Repeat([]byte{255}, h*w)
	blur(flat, 1, h, w, 80)
	if !bytes.Equal(flat, bytes.Repeat([]byte{255}, h*w)) {
		t.Error("white does not stay white")
	}
}

func TestProbabilities(t *testing.T) {
	p := parse(t, "flip=0.3,monochrome=0.2,blur=0.1")
	var flips, greys, blurs int
	const n = 20000
	for e := range n {
		c := p.choose(8, 8, 8, 8, 1, e, "k")
		if c.flip {
			flips++
		}
		if c.grey {
			greys++
		}
		if c.blur {
			blurs++
		}
	}
	for _, v := range []struct {
		got  int
		want float64
	}{{flips, 0.3}, {greys, 0.2}, {blurs, 0.1}} {
		if math.Abs(float64(v.got)/n-v.want) > 0.012 { // four standard deviations
			t.Errorf("share %.3f, want %.1f", float64(v.got)/n, v.want)
		}
	}
}

func TestParse(t *testing.T) {
	for spec, want := range map[string]string{
		"":                                "none",
		"none":                            "none",
		"flip=0":                          "none",
		" flip=0.50 , crop=224x192":       "flip=0.5,crop=224x192",
		"crop=112":                        "crop=112x112",
		"blur=0.1,flip=1":                 "flip=1,blur=0.1",
		"sigma=1,blur=0.5":                "blur=0.5,sigma=1-1",
		"brightness=0.1":                  "brightness=0.1",
		"erase=0.25,rotate=10,zoom=0.9-2": "zoom=0.9-2,rotate=10,erase=0.25",
		"zoom=1.5,pad=0":                  "zoom=1.5-1.5",
		"jitter=0.2,monochrome=0.2,pad=4": "pad=4,jitter=0.2,monochrome=0.2",
	} {
		p, err := Parse(spec)
		if err != nil || p.String() != want {
			t.Errorf("Parse(%q) = %v, %v, want %s", spec, p, err, want)
		}
	}
	for spec, want := range map[string]string{
		"flip":                      "not name=value",
		"flip=2":                    "want 0 to 1",
		"flip=nan":                  "want 0 to 1",
		"crop=0x5":                  "rows x columns",
		"crop=99999":                "rows x columns",
		"pad=-1":                    "want 0 to",
		"sigma=2-1":                 "want pixels",
		"shear=3":                   "unknown",
		"zoom=0.1-1":                "want factors",
		"zoom=1.2-0.9":              "want factors",
		"zoom=nan":                  "want factors",
		"rotate=90":                 "0 to 45 degrees",
		"erase=-1":                  "want 0 to 1",
		"flip=1,flip=1":             "twice",
		"jitter=0.1,saturation=0.1": "either",
	} {
		if _, err := Parse(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q) = %v, want %q", spec, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(everything)
	f.Add("flip=0.5,brightness=0.25,contrast=1e-3")
	f.Add("zoom=0.9-1.1,rotate=10,erase=0.25")
	f.Fuzz(func(t *testing.T, spec string) {
		p, err := Parse(spec)
		if err != nil {
			return
		}
		q, err := Parse(p.String())
		if err != nil || q.String() != p.String() {
			t.Fatalf("%q is %q, which is read as %v, %v", spec, p, q, err)
		}
	})
}

func TestCheck(t *testing.T) {
	p := parse(t, "crop=10x12")
	if err := p.Check(3, 10, 12); err != nil {
		t.Error(err)
	}
	if err := p.Check(3, 10, 11); err == nil {
		t.Error("a crop wider than the sample passes")
	}
	defer func() {
		if recover() == nil {
			t.Error("a wrong length passes")
		}
	}()
	p.Apply(make([]uint8, 5), make([]uint8, 5), 3, 10, 12, 1, 1, "k")
}

func BenchmarkApply(b *testing.B) {
	src := sample(3 * 112 * 112)
	for _, spec := range []string{"none", "flip=1", "flip=0.5,crop=96x96", "monochrome=1", "jitter=0.2", "blur=1", "zoom=0.9-1.1,rotate=10", "erase=1", "flip=0.5,monochrome=0.2,jitter=0.2,blur=0.1"} {
		p := parse(b, spec)
		c, h, w := p.OutputShape(3, 112, 112)
		dst := make([]uint8, c*h*w)
		b.Run(spec, func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				p.Apply(dst, src, 3, 112, 112, 1, i, "n000002/0001_01")
			}
		})
	}
}
