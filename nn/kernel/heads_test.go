package kernel

import (
	"math"
	"slices"
	"testing"
)

// checkGradient holds the gradient of f by x against differences.
func checkGradient(t *testing.T, what string, x, gradient []float32, f func() float64) {
	t.Helper()
	for i := range x {
		const h = 1.0 / 1024
		old := x[i]
		x[i] = old + h
		up := f()
		x[i] = old - h
		down := f()
		x[i] = old
		if want := (up - down) / (2 * h); math.Abs(float64(gradient[i])-want) > 1e-3*(1+math.Abs(want)) {
			t.Errorf("%s: gradient %d = %v, want %v", what, i, gradient[i], want)
		}
	}
}

func TestRankLoss(t *testing.T) {
	const ranks = 9
	logits, labels := random(4*ranks, "logits"), []int32{0, 9, -1, 4}
	loss, gradient := make([]float64, 4), make([]float32, len(logits))
	f := func() float64 { return 3 * RankLoss(ranks, logits, labels, 3, loss, make([]float32, len(logits))) }
	mean := RankLoss(ranks, logits, labels, 3, loss, gradient)
	want := 0.0
	for i, l := range labels {
		for k := range ranks {
			if l >= 0 {
				p := 1 / (1 + math.Exp(-float64(logits[i*ranks+k])))
				if int(l) <= k {
					p = 1 - p
				}
				want -= math.Log(p) / 3
			}
		}
	}
	if math.Abs(mean-want) > 1e-9 || loss[2] != 0 {
		t.Errorf("loss = %v, of the unlabelled one %v, want %v and 0", mean, loss[2], want)
	}
	checkGradient(t, "rank", logits, gradient, f)
}

func TestTripletLoss(t *testing.T) {
	const n, width = 9, 5
	labels := []int32{0, 0, 1, 1, 1, -1, 2, 2, 3}
	for _, mining := range []Mining{MineAll, MineSemiHard, MineHard} {
		x := random(n*width, "x", string(mining))
		l := NewTripletLoss(n, width, 0.2, mining)
		got, count := l.Forward(x, labels, 2)
		dx := make([]float32, len(x))
		l.Backward(dx)

		// The definition, over and over.
		unit := make([][]float64, n)
		for i := range unit {
			sum := 0.0
			for _, v := range x[i*width : (i+1)*width] {
				sum += float64(v) * float64(v)
			}
			for _, v := range x[i*width : (i+1)*width] {
				unit[i] = append(unit[i], float64(v)/math.Sqrt(sum))
			}
		}
		d := func(i, j int) (sum float64) {
			for k := range width {
				sum += (unit[i][k] - unit[j][k]) * (unit[i][k] - unit[j][k])
			}
			return sum
		}
		var losses []float64
		for a := range n {
			var positives, negatives []int
			for j := range n {
				switch {
				case labels[a] < 0 || labels[j] < 0 || j == a:
				case labels[j] == labels[a]:
					positives = append(positives, j)
				default:
					negatives = append(negatives, j)
				}
			}
			by := func(x, y int) int {
				if d(a, x) < d(a, y) {
					return -1
				}
				return 1
			}
			slices.SortFunc(positives, by)
			slices.SortFunc(negatives, by)
			if len(positives) == 0 {
				continue
			}
			switch mining {
			case MineHard:
				losses = append(losses, max(0, d(a, positives[len(positives)-1])-d(a, negatives[0])+0.2))
			case MineSemiHard:
				for _, p := range positives {
					chosen := negatives[len(negatives)-1]
					for _, j := range negatives {
						if d(a, j) > d(a, p) {
							chosen = j
							break
						}
					}
					losses = append(losses, max(0, d(a, p)-d(a, chosen)+0.2))
				}
			default:
				for _, p := range positives {
					for _, j := range negatives {
						if v := d(a, p) - d(a, j) + 0.2; v > 0 {
							losses = append(losses, v)
						}
					}
				}
			}
		}
		want := 0.0
		for _, v := range losses {
			want += v / float64(len(losses))
		}
		if count != len(losses) || math.Abs(got-want) > 1e-5 {
			t.Errorf("%s: loss %v of %d triplets, want %v of %d", mining, got, count, want, len(losses))
		}
		checkGradient(t, string(mining), x, dx, func() float64 {
			v, _ := NewTripletLoss(n, width, 0.2, mining).Forward(x, labels, 1)
			return 2 * v
		})
	}
	// Without two of a class there is nothing to learn.
	l := NewTripletLoss(2, 3, 0.2, MineHard)
	x, dx := random(6, "x"), random(6, "old")
	if loss, count := l.Forward(x, []int32{0, 1}, 1); loss != 0 || count != 0 {
		t.Errorf("loss %v of %d triplets, want none", loss, count)
	}
	l.Backward(dx)
	if slices.ContainsFunc(dx, func(v float32) bool { return v != 0 }) {
		t.Errorf("gradient without triplets = %v, want zeros", dx)
	}
}
