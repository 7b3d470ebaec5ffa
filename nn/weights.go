package nn

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/internal/safetensors"
)

// ErrMismatch says that a file's weights are not those of this network.
var ErrMismatch = errors.New("weights do not fit the network")

// Save writes the weights as safetensors, in the order of the layers, with meta and, besides,
//
//	arch     name of the network
//	input    channels x height x width, "3x190x170"
//	classes  number of classes
//	format   "pt": the layouts are PyTorch's
//	digest   XXH3 of names, shapes and values
//
// The same weights and meta give the same bytes.
func (n *Network) Save(w io.Writer, meta map[string]string) error {
	all := maps.Clone(meta)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, n.identity())
	all["format"] = "pt"
	arrays := make([]safetensors.Floats, len(n.saved))
	for i, p := range n.saved {
		arrays[i] = safetensors.Floats{Name: p.Name, Shape: p.Shape, Data: p.Data}
	}
	all["digest"] = digestOf(arrays)
	return safetensors.WriteFloats(w, arrays, all)
}

// identity is what a file's metadata says about the network.
func (n *Network) identity() map[string]string {
	return map[string]string{
		"arch":    n.cfg.Arch,
		"input":   fmt.Sprintf("%dx%dx%d", n.cfg.Channels, n.cfg.Height, n.cfg.Width),
		"classes": strconv.Itoa(n.cfg.Classes),
	}
}

// digestOf names weights by names, shapes and values, so that a flipped bit is found.
func digestOf(arrays []safetensors.Floats) string {
	h := digest.New()
	var b []byte
	for _, a := range arrays {
		b = fmt.Appendf(b[:0], "%q%v", a.Name, a.Shape)
		for _, v := range a.Data {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
			if len(b) > 1<<16 {
				h.Write(b)
				b = b[:0]
			}
		}
		h.Write(b)
	}
	return h.String()
}

// Load reads weights from a safetensors file, ours or one that PyTorch's state dict was saved
// to, and returns its metadata. Names and shapes must be exactly the network's, every value
// finite, and where the metadata names network, input size, classes or a digest they must agree.
// Otherwise the error wraps [ErrMismatch], lists every misfit, and nothing has changed.
func (n *Network) Load(path string) (meta map[string]string, err error) {
	arrays, meta, err := safetensors.ReadFloats(path)
	if err != nil {
		return nil, err
	}
	var misfits []string
	misfit := func(format string, args ...any) { misfits = append(misfits, fmt.Sprintf(format, args...)) }

	want := n.identity()
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if got, ok := meta[key]; ok && got != want[key] {
			misfit("%s is %s, want %s", key, got, want[key])
		}
	}
	if want, ok := meta["digest"]; ok && digestOf(arrays) != want {
		misfit("digest of the weights is %s, want %s: the file is damaged", digestOf(arrays), want)
	}
	byName := map[string]safetensors.Floats{}
	for _, a := range arrays {
		byName[a.Name] = a
	}
	for _, p := range n.saved {
		a, ok := byName[p.Name]
		delete(byName, p.Name)
		switch {
		case !ok:
			misfit("%s is missing", p.Name)
		case !slices.Equal(a.Shape, p.Shape):
			misfit("%s has shape %v, want %v", p.Name, a.Shape, p.Shape)
		default:
			if i := notFinite(a.Data); i >= 0 {
				misfit("%s: value %d is %v", p.Name, i, a.Data[i])
			}
		}
	}
	for _, a := range arrays {
		if _, extra := byName[a.Name]; extra {
			misfit("%s is unknown to %s", a.Name, n.cfg.Arch)
		}
	}
	if misfits != nil {
		return nil, fmt.Errorf("%s: %w: %s", path, ErrMismatch, strings.Join(misfits, "; "))
	}
	for _, a := range arrays {
		byName[a.Name] = a
	}
	for _, p := range n.saved {
		copy(p.Data, byName[p.Name].Data)
	}
	return meta, nil
}

// notFinite returns the place of the first value that is not a finite number, or -1.
func notFinite(data []float32) int {
	for i, v := range data {
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			return i
		}
	}
	return -1
}
