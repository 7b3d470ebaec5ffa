package augment

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Pipeline is a set of random changes. The nil Pipeline changes nothing.
type Pipeline struct {
	Flip         float64 // probability
	CropH, CropW int     // window in pixels, 0 none
	Pad          int     // pixels on each side before the crop
	Brightness   float64 // factor within 1-x .. 1+x
	Contrast     float64
	Saturation   float64
	Monochrome   float64 // probability
	Blur         float64 // probability
	SigmaLow     float64 // pixels
	SigmaHigh    float64
	ZoomLow      float64 // factor of enlargement about the window's middle; 0 and 0 are none
	ZoomHigh     float64
	Rotate       float64 // degrees, to either side
	Erase        float64 // probability
}

const (
	maxSide = 8192 // of a crop, pixels
	maxPad  = 1024
	maxSig  = 5 // pixels
	maxZoom = 4 // and 1/maxZoom is the least
	maxTurn = 45

	defaultSigmaLow, defaultSigmaHigh = 0.5, 1.5
)

// Parse reads a specification such as "flip=0.5,crop=224x224,monochrome=0.2"; "" and "none" are
// the nil Pipeline. The package comment lists the words.
func Parse(spec string) (*Pipeline, error) {
	spec = strings.TrimSpace(spec)
	if spec == "" || spec == "none" {
		return nil, nil
	}
	p := &Pipeline{SigmaLow: defaultSigmaLow, SigmaHigh: defaultSigmaHigh}
	seen := map[string]bool{}
	for _, item := range strings.Split(spec, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(item), "=")
		if !ok {
			return nil, fmt.Errorf("augment: %q is not name=value", item)
		}
		if seen[name] {
			return nil, fmt.Errorf("augment: %s is given twice", name)
		}
		seen[name] = true
		if err := p.set(name, value); err != nil {
			return nil, fmt.Errorf("augment: %s: %w", name, err)
		}
	}
	if seen["jitter"] && (seen["brightness"] || seen["contrast"] || seen["saturation"]) {
		return nil, fmt.Errorf("augment: jitter sets brightness, contrast and saturation: give either")
	}
	if *p == (Pipeline{SigmaLow: p.SigmaLow, SigmaHigh: p.SigmaHigh}) {
		return nil, nil // flip=0 and the like
	}
	return p, nil
}

func (p *Pipeline) set(name, value string) (err error) {
	switch name {
	case "flip":
		p.Flip, err = share(value)
	case "crop":
		p.CropH, p.CropW, err = size(value)
	case "pad":
		p.Pad, err = strconv.Atoi(value)
		if err != nil || p.Pad < 0 || p.Pad > maxPad {
			return fmt.Errorf("%q, want 0 to %d pixels", value, maxPad)
		}
	case "jitter":
		p.Brightness, err = share(value)
		p.Contrast, p.Saturation = p.Brightness, p.Brightness
	case "brightness":
		p.Brightness, err = share(value)
	case "contrast":
		p.Contrast, err = share(value)
	case "saturation":
		p.Saturation, err = share(value)
	case "monochrome":
		p.Monochrome, err = share(value)
	case "blur":
		p.Blur, err = share(value)
	case "sigma":
		p.SigmaLow, p.SigmaHigh, err = span(value, 0, maxSig, "pixels such as 0.5-1.5")
	case "zoom":
		p.ZoomLow, p.ZoomHigh, err = span(value, 1./maxZoom, maxZoom, "factors such as 0.9-1.3")
		if p.ZoomLow == 1 && p.ZoomHigh == 1 {
			p.ZoomLow, p.ZoomHigh = 0, 0
		}
	case "rotate":
		p.Rotate, err = strconv.ParseFloat(value, 64)
		if err != nil || !(p.Rotate >= 0 && p.Rotate <= maxTurn) {
			return fmt.Errorf("%q, want 0 to %d degrees", value, maxTurn)
		}
		p.Rotate = math.Abs(p.Rotate)
	case "erase":
		p.Erase, err = share(value)
	default:
		return fmt.Errorf("unknown, want flip, crop, pad, zoom, rotate, jitter, brightness, contrast, saturation, monochrome, blur, sigma or erase")
	}
	return err
}

func share(s string) (float64, error) {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !(v >= 0 && v <= 1) {
		return 0, fmt.Errorf("%q, want 0 to 1", s)
	}
	return math.Abs(v), nil // no minus zero
}

func size(s string) (h, w int, err error) {
	a, b, two := strings.Cut(s, "x")
	if !two {
		b = a
	}
	h, errH := strconv.Atoi(a)
	w, errW := strconv.Atoi(b)
	if errH != nil || errW != nil || h < 1 || w < 1 || h > maxSide || w > maxSide {
		return 0, 0, fmt.Errorf("%q, want rows x columns such as 224x224", s)
	}
	return h, w, nil
}

// span reads two numbers above 0, within least and most.
func span(s string, least, most float64, want string) (lo, hi float64, err error) {
	a, b, two := strings.Cut(s, "-")
	if !two {
		b = a
	}
	lo, errLo := strconv.ParseFloat(a, 64)
	hi, errHi := strconv.ParseFloat(b, 64)
	if errLo != nil || errHi != nil || !(lo > 0 && lo >= least && lo <= hi && hi <= most) {
		return 0, 0, fmt.Errorf("%q, want %s, at most %g", s, want, most)
	}
	return lo, hi, nil
}

// String returns the specification in its shortest usual form; [Parse] reads it back.
func (p *Pipeline) String() string {
	if p == nil {
		return "none"
	}
	var out []string
	add := func(name string, v float64) {
		if v > 0 {
			out = append(out, name+"="+number(v))
		}
	}
	add("flip", p.Flip)
	if p.CropH > 0 {
		out = append(out, fmt.Sprintf("crop=%dx%d", p.CropH, p.CropW))
	}
	if p.Pad > 0 {
		out = append(out, "pad="+strconv.Itoa(p.Pad))
	}
	if p.ZoomHigh > 0 {
		out = append(out, "zoom="+number(p.ZoomLow)+"-"+number(p.ZoomHigh))
	}
	add("rotate", p.Rotate)
	if p.Brightness == p.Contrast && p.Contrast == p.Saturation {
		add("jitter", p.Brightness)
	} else {
		add("brightness", p.Brightness)
		add("contrast", p.Contrast)
		add("saturation", p.Saturation)
	}
	add("monochrome", p.Monochrome)
	add("blur", p.Blur)
	if p.Blur > 0 && (p.SigmaLow != defaultSigmaLow || p.SigmaHigh != defaultSigmaHigh) {
		out = append(out, "sigma="+number(p.SigmaLow)+"-"+number(p.SigmaHigh))
	}
	add("erase", p.Erase)
	if len(out) == 0 {
		return "none"
	}
	return strings.Join(out, ",")
}

// number never uses an exponent, whose minus sign sigma's span would trip over.
func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
