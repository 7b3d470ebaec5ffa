package chart

import (
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
)

// linearTicks puts about count labels at multiples of 1, 2 or 5 times a power of ten.
type linearTicks struct {
	count int
	whole bool // the values are whole numbers: no label between two of them
}

func (t linearTicks) Ticks(min, max float64) []plot.Tick {
	step := niceStep((max - min) / float64(t.count))
	if t.whole && step < 1 {
		step = 1
	}
	decimals := 0
	if step < 1 {
		decimals = int(math.Ceil(-math.Log10(step) - 1e-9))
	}
	var ticks []plot.Tick
	for i := math.Ceil(min/step - 1e-9); i <= math.Floor(max/step+1e-9) && len(ticks) < 100; i++ {
		v := i*step + 0 // Ceil gives a negative zero
		ticks = append(ticks, plot.Tick{Value: v, Label: label(v, decimals)})
	}
	return ticks
}

// niceStep rounds up to 1, 2 or 5 times a power of ten.
func niceStep(raw float64) float64 {
	if !(raw > 0) || math.IsInf(raw, 0) {
		return 1
	}
	p := math.Pow(10, math.Floor(math.Log10(raw)))
	if p == 0 {
		return raw
	}
	for _, m := range []float64{1, 2, 5} {
		if raw <= m*p*(1+1e-9) {
			return m * p
		}
	}
	return 10 * p
}

// label writes v with commas between thousands, or with an exponent when it would be long.
func label(v float64, decimals int) string {
	if decimals > 5 || math.Abs(v) >= 1e9 {
		return exponent(v)
	}
	s := strconv.FormatFloat(v, 'f', decimals, 64)
	if s == "-0" || strings.Trim(s, "-0.") == "" {
		return "0"
	}
	whole, rest, _ := strings.Cut(s, ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "-", whole[1:]
	}
	if len(whole) > 4 {
		for i := len(whole) - 3; i > 0; i -= 3 {
			whole = whole[:i] + "," + whole[i:]
		}
	}
	if rest != "" {
		rest = "." + rest
	}
	return sign + whole + rest
}

// exponent writes 1e-5 rather than Go's 1e-05.
func exponent(v float64) string {
	s := strconv.FormatFloat(v, 'g', 4, 64)
	m, e, ok := strings.Cut(s, "e")
	if !ok {
		return s
	}
	sign := ""
	if e[0] == '-' {
		sign = "-"
	}
	return m + "e" + sign + strings.TrimLeft(e, "+-0")
}

// logTicks labels every power of ten, and 2 and 5 times it too when the axis is short.
type logTicks struct{}

func (logTicks) Ticks(min, max float64) []plot.Tick {
	if !(min > 0) || !(max > min) {
		return nil
	}
	lo, hi := int(math.Floor(math.Log10(min))), int(math.Ceil(math.Log10(max)))
	every := 1 + (hi-lo)/12
	short := hi-lo <= 2
	var ticks []plot.Tick
	for e := lo; e <= hi; e++ {
		p := math.Pow10(e)
		for m := 1.0; m < 10; m++ {
			t := plot.Tick{Value: m * p}
			if m == 1 && (e-lo)%every == 0 || short && (m == 2 || m == 5) {
				t.Label = exponent(t.Value)
			}
			if t.Value >= min*(1-1e-9) && t.Value <= max*(1+1e-9) {
				ticks = append(ticks, t)
			}
		}
	}
	return ticks
}
