package curate

import (
	"context"
	"math"
	"runtime"

	"github.com/vf2prep/vf2prep/nn/kernel"
)

// parallel calls f for 0 to n-1 with all CPUs.
func parallel(n int, f func(i int)) { kernel.Parallel(n, f) }

// blockRows is how many vectors are held at once: 0.5 MB of 512 numbers, which a core's second-level cache holds.
const blockRows = 256

// readRows is how many of them a goroutine reads.
const readRows = 32

// blocks reads the whole file, some rows at a time.
func (n *noise) blocks(ctx context.Context, stage string, use func(from, count int, x []float32)) error {
	total := len(n.rows.Keys)
	n.Progress.Start(int64(total), stage)
	defer n.Progress.Done()
	x := make([]float32, blockRows*n.rows.Width)
	for from := 0; from < total; from += blockRows {
		if err := ctx.Err(); err != nil {
			return err
		}
		count := min(blockRows, total-from)
		errs := make([]error, (count+readRows-1)/readRows)
		parallel(len(errs), func(i int) {
			first, end := i*readRows, min(count, (i+1)*readRows)
			errs[i] = n.rows.Read(from+first, end-first, x[first*n.rows.Width:end*n.rows.Width])
		})
		for _, err := range errs {
			if err != nil {
				return err
			}
		}
		use(from, count, x[:count*n.rows.Width])
		n.Progress.Add(int64(count))
	}
	return nil
}

// vectors reads some rows; neighbours in the file are read together.
func (n *noise) vectors(rows []int) (vectors, error) {
	v := vectors{width: n.rows.Width, data: make([]float32, len(rows)*n.rows.Width)}
	for i := 0; i < len(rows); {
		k := 1
		for i+k < len(rows) && rows[i+k] == rows[i]+k {
			k++
		}
		if err := n.rows.Read(rows[i], k, v.data[i*v.width:(i+k)*v.width]); err != nil {
			return v, err
		}
		i += k
	}
	return v, nil
}

// eachPerson reads the vectors of one person after another, with all CPUs. f must write places of its own.
func (n *noise) eachPerson(ctx context.Context, stage string, which []int, f func(k int, v vectors)) error {
	n.Progress.Start(int64(len(which)), stage)
	defer n.Progress.Done()
	errs := make([]error, len(which))
	// Some at a time, so that an interrupt is heard.
	step := 64 * runtime.GOMAXPROCS(0)
	for from := 0; from < len(which); from += step {
		if err := ctx.Err(); err != nil {
			return err
		}
		now := which[from:min(from+step, len(which))]
		parallel(len(now), func(i int) {
			k := now[i]
			var v vectors
			if v, errs[from+i] = n.vectors(n.people[k].rows); errs[from+i] == nil {
				f(k, v)
			}
			n.Progress.Add(1)
		})
		for _, err := range errs[from : from+len(now)] {
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// vectors are unit vectors, row by row.
type vectors struct {
	width int
	data  []float32
}

func (v vectors) len() int           { return len(v.data) / v.width }
func (v vectors) at(i int) []float32 { return v.data[i*v.width : (i+1)*v.width] }

// add adds sign times x to sum.
func add(sum []float64, x []float32, sign float64) {
	sum = sum[:len(x)]
	for i, f := range x {
		sum[i] += sign * float64(f) // exact products: nothing to round
	}
}

// product is the inner product of an image and a sum: four sums side by side, in a fixed order, each product
// rounded by itself, so that every CPU gives the same bits.
func product(x []float32, c []float64) float64 {
	var s0, s1, s2, s3 float64
	c = c[:len(x)]
	i := 0
	for ; i+4 <= len(x); i += 4 {
		s0 += float64(float64(x[i]) * c[i])
		s1 += float64(float64(x[i+1]) * c[i+1])
		s2 += float64(float64(x[i+2]) * c[i+2])
		s3 += float64(float64(x[i+3]) * c[i+3])
	}
	for ; i < len(x); i++ {
		s0 += float64(float64(x[i]) * c[i])
	}
	return (s0 + s1) + (s2 + s3)
}

// dot is [product] of two sums.
func dot(a, b []float64) float64 {
	var s0, s1, s2, s3 float64
	b = b[:len(a)]
	i := 0
	for ; i+4 <= len(a); i += 4 {
		s0 += float64(a[i] * b[i])
		s1 += float64(a[i+1] * b[i+1])
		s2 += float64(a[i+2] * b[i+2])
		s3 += float64(a[i+3] * b[i+3])
	}
	for ; i < len(a); i++ {
		s0 += float64(a[i] * b[i])
	}
	return (s0 + s1) + (s2 + s3)
}

// square is the squared length of an image's vector: 1 up to rounding.
func square(x []float32) float64 {
	s := 0.0
	for _, f := range x {
		s += float64(float64(f) * float64(f)) // exact
	}
	return s
}

// unit divides v by its length; false where it has none, up to the rounding of sums of float32.
func unit(v []float64) bool {
	length := math.Sqrt(dot(v, v))
	if length < 1e-6 {
		return false
	}
	for i := range v {
		v[i] /= length
	}
	return true
}

// group is a sum of unit vectors.
type group struct {
	sum     []float64
	squares float64 // sum of the vectors' squared lengths
	n       int
}

func newGroup(width int) group { return group{sum: make([]float64, width)} }

func (g *group) put(x []float32, sign int) {
	add(g.sum, x, float64(sign))
	g.squares += float64(float64(sign) * square(x))
	g.n += sign
}

// within is the mean similarity of two different members, NaN of fewer than two.
func (g *group) within() float64 {
	if g.n < 2 {
		return math.NaN()
	}
	return (dot(g.sum, g.sum) - g.squares) / (float64(g.n) * float64(g.n-1))
}

// across is the mean similarity of a member of one and a member of the other.
func across(a, b *group) float64 { return dot(a.sum, b.sum) / (float64(a.n) * float64(b.n)) }
