package augment

import (
	"bytes"
	"math"
	"testing"

	"github.com/vf2prep/vf2prep/internal/digest"
)

func TestCircle(t *testing.T) {
	for d := -45.0; d <= 45; d += 0.25 {
		x := d * math.Pi / 180
		sin, cos := circle(x)
		if math.Abs(sin-math.Sin(x)) > 1e-8 || math.Abs(cos-math.Cos(x)) > 1e-8 {
			t.Errorf("%g degrees: %g, %g, want %g, %g", d, sin, cos, math.Sin(x), math.Cos(x))
		}
	}
}

// Turning and enlarging against the obvious twin in floating point.
func TestTurnAgainstTwin(t *testing.T) {
	const c, h, w = 3, 23, 19
	src := sample(c * h * w)
	for i := range src { // smooth enough that 1/256 pixel is less than a level or two
		src[i] = uint8(128 + 100*math.Sin(float64(i%w)/5)*math.Cos(float64(i/w%h)/4))
	}
	p := parse(t, "crop=15x17,pad=2,flip=0.5,zoom=0.7-1.5,rotate=30")
	for e := range 60 {
		got := apply(p, src, c, h, w, 1, e, "k")
		do := p.choose(h, w, 15, 17, 1, e, "k")
		cos, sin := float64(do.turn.a)/one, float64(do.turn.b)/one
		worst := 0.0
		for j := range 15 {
			for i := range 17 {
				dx, dy := float64(i)-8, float64(j)-7
				if do.flip {
					dx = -dx
				}
				x := min(max(float64(do.x)+8+cos*dx-sin*dy, 0), w-1)
				y := min(max(float64(do.y)+7+sin*dx+cos*dy, 0), h-1)
				x0, y0 := math.Floor(x), math.Floor(y)
				fx, fy := x-x0, y-y0
				pix := func(k int, y, x float64) float64 {
					return float64(src[(k*h+min(int(y), h-1))*w+min(int(x), w-1)])
				}
				for k := range c {
					v := (pix(k, y0, x0)*(1-fx)+pix(k, y0, x0+1)*fx)*(1-fy) + (pix(k, y0+1, x0)*(1-fx)+pix(k, y0+1, x0+1)*fx)*fy
					worst = max(worst, math.Abs(v-float64(got[(k*15+j)*17+i])))
				}
			}
		}
		if worst > 1 {
			t.Errorf("epoch %d: %.2f levels off", e, worst)
		}
	}
}

// A turn to the right moves what was above the middle to the right.
func TestTurnIsClockwise(t *testing.T) {
	const n = 41
	src := make([]uint8, n*n)
	src[10*n+20] = 255
	dst := make([]uint8, n*n)
	turned(1, 30).crop(dst, src, 1, n, n, n, n, 0, 0, false)
	y, x := brightest(dst, n)
	if y > 13 || x < 23 {
		t.Errorf("the point at row 10, column 20 turned to row %d, column %d, want about 11, 25", y, x)
	}
	turned(1.5, 0).crop(dst, src, 1, n, n, n, n, 0, 0, false)
	if y, x := brightest(dst, n); y < 4 || y > 6 || x != 20 {
		t.Errorf("the point at row 10, column 20 was enlarged to row %d, column %d, want 5, 20", y, x)
	}
}

func brightest(pix []uint8, w int) (y, x int) {
	best := 0
	for i, v := range pix {
		if v > pix[best] {
			best = i
		}
	}
	return best / w, best % w
}

func TestZoomOfOneIsNothing(t *testing.T) {
	if p := parse(t, "zoom=1-1,rotate=0"); p != nil {
		t.Errorf("zoom=1-1 is %v", p)
	}
	src := sample(9 * 9)
	dst := make([]uint8, 81)
	turned(1, 0).crop(dst, src, 1, 9, 9, 9, 9, 0, 0, false)
	if !turned(1, 0).none() || !bytes.Equal(dst, src) {
		t.Error("a factor of one and no turn change a sample")
	}
}

func TestErase(t *testing.T) {
	p := parse(t, "erase=0.5")
	const h, w = 32, 24
	src := bytes.Repeat([]byte{7}, 3*h*w)
	done := 0
	for e := range 400 {
		got := apply(p, src, 3, h, w, 1, e, "k")
		grey := bytes.Count(got, []byte{midGrey})
		if grey == 0 {
			continue
		}
		done++
		do := p.choose(h, w, h, w, 1, e, "k")
		rows, columns := do.hole[2], do.hole[3]
		if grey != 3*rows*columns || grey+bytes.Count(got, []byte{7}) != len(got) {
			t.Fatalf("epoch %d: %d values are grey, want 3 x %d x %d", e, grey, rows, columns)
		}
		if rows < h/8 || rows > h/2 || columns < w/8 || columns > w/2 {
			t.Errorf("epoch %d: %d x %d pixels are erased", e, rows, columns)
		}
	}
	if done < 160 || done > 240 {
		t.Errorf("%d of 400 are erased, want about half", done)
	}
}

func TestGoldenTurn(t *testing.T) {
	p := parse(t, "flip=0.5,crop=20x18,pad=1,zoom=0.8-1.25,rotate=20,erase=0.3")
	d := digest.New()
	for e := range 50 {
		d.Write(apply(p, sample(3*24*22), 3, 24, 22, 1, e, "n000002/0001_01"))
	}
	const want = "xxh3-128:2d5975697e3a595ad869f5d4ef0f81df"
	if got := d.String(); got != want {
		t.Errorf("digest = %s, want %s", got, want)
	}
}
