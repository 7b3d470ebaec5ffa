package cache

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/shard"
)

// The geometries: which part of a photo becomes the sample.
const (
	Whole      = "whole"      // the whole image, stretched
	Box        = "box"        // a crop about the box
	Similarity = "similarity" // five landmarks moved onto a template
)

// Recipe says how a photo becomes a sample. All of it is part of a shard set's identity.
type Recipe struct {
	Name     string `json:"name" yaml:"name"`
	Geometry string `json:"geometry" yaml:"geometry"` // whole, box or similarity

	Height int `json:"height" yaml:"height"` // of the sample, pixels
	Width  int `json:"width" yaml:"width"`

	// Margin extends the box by this share of its own side, half at each end: 0.3 makes it 1.3
	// times as long. Geometry box.
	Margin float64 `json:"margin" yaml:"margin"`
	// WidthFloor widens a box narrower than this share of its height before the margin is added;
	// 0 leaves it. VGGFace2's own crops have 0.875. Geometry box.
	WidthFloor float64 `json:"width_floor" yaml:"width_floor"`
	// Fit is "square": the crop is extended to the sample's proportions with what the photo
	// shows there, black beyond its edge; or "stretch". Geometry box.
	Fit string `json:"fit" yaml:"fit"`

	Sampling string `json:"sampling" yaml:"sampling"` // "antialias" or "bilinear"
	Channels string `json:"channels" yaml:"channels"` // order of the planes: "rgb" or "bgr"

	// Encoding is how shards keep the sample: shard.Raw, or shard.JPEG with chroma at half the
	// resolution (4:2:0).
	Encoding string `json:"encoding,omitempty" yaml:"encoding"`
	// Quality of the JPEG, 1 to 100. Encoding jpeg.
	Quality int `json:"quality,omitempty" yaml:"quality"`
}

// sampleBytes returns how long a sample is in a shard; for JPEGs of photos about.
func (r *Recipe) sampleBytes() int64 {
	n := int64(3) * int64(r.Height) * int64(r.Width)
	if r.Encoding == shard.JPEG {
		n /= 8 // what faces take at quality 90 to 95
	}
	return max(n, 1)
}

// Encode changes how shards keep the samples: shard.Raw, or shard.JPEG of a quality from 1 to 100.
func (r *Recipe) Encode(encoding string, quality int) error {
	r.Encoding, r.Quality = encoding, 0
	if encoding == shard.JPEG {
		r.Quality = quality
		r.Name = fmt.Sprintf("%s jpeg %d", r.Name, quality)
	}
	return r.check()
}

// Decoder names how pixels come out of a JPEG. It is part of a recipe's digest: another decoder
// may round differently.
const Decoder = "region decoder 1 (islow), fixed-point warp 2"

// DefaultQuality is that of JPEG samples where none is asked for: 42.8 dB PSNR in a tenth of the
// bytes on faces of 112x112.
const DefaultQuality = 90

// The largest sample a side, in pixels.
const maxSide = 2048

// recipes are the recipes known by name.
var recipes = map[string]Recipe{
	// The Keras script that this project began with: the stored image, stretched to 190 rows and
	// 170 columns with OpenCV's bilinear resize, blue first.
	"seed-190x170": {Geometry: Whole, Height: 190, Width: 170, Sampling: "bilinear", Channels: "bgr"},
	// Cao et al. 2018: the box extended by 0.3. They resize the shorter side to 256 and leave the
	// longer one as it comes; samples of one shape need a square, so here the longer side has 256.
	"vggface2-256": {Geometry: Box, Height: 256, Width: 256, Margin: 0.3, WidthFloor: 0.875, Fit: "square", Sampling: "antialias", Channels: "rgb"},
	// For data sets whose files are crops of faces already, such as UTKFace's chips of 200x200.
	"whole-112": {Geometry: Whole, Height: 112, Width: 112, Sampling: "antialias", Channels: "rgb"},
	// Deng et al. 2019: five points onto the 112x112 template.
	"arcface-112": {Geometry: Similarity, Height: 112, Width: 112, Sampling: "antialias", Channels: "rgb"},
}

// Recipes lists the recipes known by name.
func Recipes() []string {
	var names []string
	for n := range recipes {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// maxRecipe bounds a recipe file, in bytes.
const maxRecipe = 1 << 16

// LoadRecipe returns the recipe of that name or, for a name that ends in .yaml or .yml, reads
// it from that file. size, "112x112" as rows x columns, replaces the recipe's own where it is
// not empty.
func LoadRecipe(name, size string) (*Recipe, error) {
	r, err := findRecipe(name)
	if err != nil {
		return nil, err
	}
	if size != "" {
		h, w, ok := strings.Cut(size, "x")
		var errH, errW error
		r.Height, errH = strconv.Atoi(h)
		r.Width, errW = strconv.Atoi(w)
		if !ok || errH != nil || errW != nil {
			return nil, fmt.Errorf("size %q, want rows x columns such as 112x112", size)
		}
		r.Name = fmt.Sprintf("%s at %dx%d", r.Name, r.Height, r.Width)
	}
	return r, r.check()
}

func findRecipe(name string) (*Recipe, error) {
	if r, ok := recipes[name]; ok {
		r.Name, r.Encoding = name, shard.Raw
		return &r, nil
	}
	if !strings.HasSuffix(name, ".yaml") && !strings.HasSuffix(name, ".yml") {
		return nil, fmt.Errorf("no recipe %q, there are %s, or give a .yaml file", name, strings.Join(Recipes(), ", "))
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxRecipe {
		return nil, fmt.Errorf("%s: %d bytes, at most %d are read", name, info.Size(), maxRecipe)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	r, err := parseRecipe(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return r, nil
}

func parseRecipe(text []byte) (*Recipe, error) {
	r := Recipe{Fit: "square", Sampling: "antialias", Channels: "rgb", Encoding: shard.Raw}
	if err := yaml.UnmarshalWithOptions(text, &r, yaml.DisallowUnknownField()); err != nil {
		return nil, err
	}
	if r.Name == "" {
		return nil, errors.New("the recipe has no name")
	}
	if r.Geometry != Box { // what the geometry does not read must not change the digest
		r.Margin, r.WidthFloor, r.Fit = 0, 0, ""
	}
	if r.Encoding == shard.JPEG && r.Quality == 0 {
		r.Quality = DefaultQuality
	} else if r.Encoding != shard.JPEG {
		r.Quality = 0
	}
	return &r, r.check()
}

func (r *Recipe) check() error {
	oneOf := func(field, got string, want ...string) error {
		for _, w := range want {
			if got == w {
				return nil
			}
		}
		return fmt.Errorf("recipe %q: %s %q, want one of %s", r.Name, field, got, strings.Join(want, ", "))
	}
	errs := []error{
		oneOf("geometry", r.Geometry, Whole, Box, Similarity),
		oneOf("sampling", r.Sampling, "antialias", "bilinear"),
		oneOf("channels", r.Channels, "rgb", "bgr"),
		oneOf("encoding", r.Encoding, shard.Raw, shard.JPEG),
	}
	if r.Encoding == shard.JPEG && (r.Quality < 1 || r.Quality > 100) {
		errs = append(errs, fmt.Errorf("recipe %q: quality %d, want 1 to 100", r.Name, r.Quality))
	}
	if r.Geometry == Box {
		errs = append(errs, oneOf("fit", r.Fit, "square", "stretch"))
		if !(r.Margin > -1 && r.Margin <= 4) || !(r.WidthFloor >= 0 && r.WidthFloor <= 4) {
			errs = append(errs, fmt.Errorf("recipe %q: margin %v and width_floor %v, want above -1 and at most 4, and 0 to 4", r.Name, r.Margin, r.WidthFloor))
		}
	}
	if r.Height < 1 || r.Width < 1 || r.Height > maxSide || r.Width > maxSide {
		errs = append(errs, fmt.Errorf("recipe %q: %dx%d pixels, want 1 to %d a side", r.Name, r.Height, r.Width, maxSide))
	}
	return errors.Join(errs...)
}

// Text is the recipe as index.json keeps it.
func (r *Recipe) Text() []byte {
	said := *r
	if said.Encoding == shard.Raw { // as recipes said it when there was no other
		said.Encoding = ""
	}
	b, err := json.Marshal(struct {
		*Recipe
		Decoder string `json:"decoder"`
	}{&said, Decoder})
	if err != nil {
		panic(err) // a struct of plain fields
	}
	return b
}

// Digest names the recipe by all that it says and by the decoder.
func (r *Recipe) Digest() string { return digest.Bytes(r.Text()) }

// ParseRecipe reads a recipe from a shard set's index. The error names a decoder that is not
// this program's, since it would make other pixels.
func ParseRecipe(text []byte) (*Recipe, error) {
	var r struct {
		Recipe
		Decoder string `json:"decoder"`
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("recipe: %w", err)
	}
	if r.Decoder != Decoder {
		return nil, fmt.Errorf("recipe %q was made by decoder %q, this one is %q", r.Name, r.Decoder, Decoder)
	}
	if r.Encoding == "" {
		r.Encoding = shard.Raw
	}
	return &r.Recipe, r.check()
}
