package nn

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/vf2prep/vf2prep/nn/kernel"
)

// Arch is a network that can be built. Height and Width are the input size that it was published
// with; any size that leaves something to pool is good.
type Arch struct {
	Name, Description string
	Height, Width     int
	layers            func(p *plan, cfg Config)
}

// Archs lists the networks.
func Archs() []Arch {
	return []Arch{
		{
			Name:        "seed-resnet",
			Description: "nine 3x3 convolutions in four residual blocks of 16 and 32 channels, as a Keras script built it: no ReLU after the additions",
			Height:      190, Width: 170,
			layers: func(p *plan, cfg Config) { seedResNet(p, cfg, false) },
		},
		{
			Name:        "seed-resnet-relu",
			Description: "seed-resnet with the ReLU after each addition that its script computed and dropped",
			Height:      190, Width: 170,
			layers: func(p *plan, cfg Config) { seedResNet(p, cfg, true) },
		},
		{
			Name: "resnet18", Description: "ResNet-18 as torchvision builds it, for people in a hurry",
			Height: 224, Width: 224,
			layers: resNet{blocks: [4]int{2, 2, 2, 2}}.build,
		},
		{
			Name: "resnet50", Description: "ResNet-50 as torchvision builds it, one of VGGFace2's two networks",
			Height: 224, Width: 224,
			layers: resNet{blocks: [4]int{3, 4, 6, 3}, bottleneck: true}.build,
		},
		{
			Name: "senet50", Description: "SE-ResNet-50, ResNet-50 with squeeze-and-excitation of ratio 16, VGGFace2's better network",
			Height: 224, Width: 224,
			layers: resNet{blocks: [4]int{3, 4, 6, 3}, bottleneck: true, squeeze: 16}.build,
		},
		{
			Name: "vgg16", Description: "VGG-16 without normalisation, VGG-Face's network",
			Height: 224, Width: 224,
			layers: vgg16,
		},
	}
}

// Config says which network to build.
type Config struct {
	Arch                    string
	Channels, Height, Width int // of the input
	Classes                 int // may be 0 without heads identity and triplet
	Batch                   int // samples a step
	Seed                    uint64
	LabelSmoothing          float64 // share of a label that is spread over all classes
	Dropout                 float64 // share of features that training drops, in networks that have a place for it

	Embedding     int           // width of a fully connected layer before the heads; 0: none, the features are the embedding
	EmbeddingBias bool          // of that layer
	Heads         []Head        // none: identity
	Alpha         float64       // the triplet loss's margin; 0: 0.2
	Mining        kernel.Mining // which triplets count; "": semi-hard
	Frozen        []string      // patterns of path.Match of parameters that are not trained
}

// named reports whether a head learns who somebody is.
func (cfg Config) named() bool {
	return slices.ContainsFunc(cfg.heads(), func(h Head) bool { return h.Kind.Named() })
}

func (cfg Config) heads() []Head {
	if len(cfg.Heads) == 0 {
		return []Head{{Identity, 1}}
	}
	return cfg.Heads
}

// ParseSize reads an input size, height x width in pixels: "190x170". Empty is the size that the
// network was published with.
func ParseSize(arch, size string) (height, width int, err error) {
	if size == "" {
		for _, a := range Archs() {
			if a.Name == arch {
				return a.Height, a.Width, nil
			}
		}
		return 1, 1, nil // New names the networks that are known
	}
	h, w, _ := strings.Cut(size, "x")
	if height, err = strconv.Atoi(h); err == nil {
		width, err = strconv.Atoi(w)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("size %q: want height x width in pixels, such as 190x170", size)
	}
	return height, width, nil
}

// maxNumbers bounds a single array of a network, in numbers: 8 GiB.
const maxNumbers = 1 << 31

// plan checks the configuration and lays the network out. Nothing large is allocated.
func (cfg Config) plan() (*plan, error) {
	var arch *Arch
	var known []string
	for _, a := range Archs() {
		known = append(known, a.Name)
		if a.Name == cfg.Arch {
			arch = &a
		}
	}
	if arch == nil {
		return nil, fmt.Errorf("no network %q; known are %s", cfg.Arch, strings.Join(known, ", "))
	}
	var errs []error
	classes := cfg.Classes
	if classes == 0 && !cfg.named() {
		classes = 1 // any number will do
	}
	for _, v := range []struct {
		what       string
		value, max int
	}{
		{"channels", cfg.Channels, 16}, {"height", cfg.Height, 1 << 14}, {"width", cfg.Width, 1 << 14},
		{"classes", classes, 1 << 24}, {"batch", cfg.Batch, 1 << 14}, {"embedding", cfg.Embedding + 1, 1 << 16},
	} {
		if v.value < 1 || v.value > v.max {
			errs = append(errs, fmt.Errorf("%s: %s is %d, want 1 to %d", cfg.Arch, v.what, v.value, v.max))
		}
	}
	for _, v := range []struct {
		what  string
		value float64
	}{{"label smoothing", cfg.LabelSmoothing}, {"dropout", cfg.Dropout}, {"alpha", cfg.Alpha / 4}} {
		if !(v.value >= 0 && v.value < 1) {
			errs = append(errs, fmt.Errorf("%s: %s is %v, want 0 to less than 1", cfg.Arch, v.what, v.value))
		}
	}
	switch cfg.Mining {
	case "", kernel.MineAll, kernel.MineSemiHard, kernel.MineHard:
	default:
		errs = append(errs, fmt.Errorf("%s: mining is %q, want %s, %s or %s", cfg.Arch, cfg.Mining, kernel.MineAll, kernel.MineSemiHard, kernel.MineHard))
	}
	for _, pattern := range cfg.Frozen {
		if _, err := path.Match(pattern, ""); err != nil {
			errs = append(errs, fmt.Errorf("%s: freeze: pattern %q: %w", cfg.Arch, pattern, err))
		}
	}
	if errs != nil {
		return nil, errors.Join(errs...)
	}
	p := &plan{}
	arch.layers(p, cfg)
	p.settle()
	p.freeze(cfg.Frozen)
	for _, l := range p.layers {
		n := int64(cfg.Batch)
		for _, s := range l.out {
			n *= int64(s)
		}
		if max(n, l.paramCount()) > maxNumbers {
			p.errs = append(p.errs, fmt.Errorf("%s: too large: %d numbers a batch, %d parameters", l.name, n, l.paramCount()))
		}
	}
	if p.errs != nil {
		return nil, fmt.Errorf("%s with input %dx%d: %w", cfg.Arch, cfg.Height, cfg.Width, errors.Join(p.errs...))
	}
	return p, nil
}
