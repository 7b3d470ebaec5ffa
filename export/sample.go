package export

import (
	"github.com/vf2prep/vf2prep/shard"
)

// Sample is what a format is given.
type Sample struct {
	Part      string
	Key       string        // "n000002/0001_01", as in the source
	Identity  string        // the class's name, or the key's first part where there is no label
	Label     int32         // class, -1 none
	Age       float32       // years, NaN unknown
	Gender    int8          // 0 male, 1 female, -1 unknown
	Landmarks [5][2]float32 // x, y in pixels of the image; NaN unknown
	Box       *[4]float32   // X, Y, W, H in pixels of the image; nil for samples, which are crops
	Width     int
	Height    int

	Image  []byte  // a whole PNG or JPEG; nil where the format asked for pixels
	Ext    string  // of Image: "png" or "jpg"
	Pixels []uint8 // C, H, W with planes R, G, B; nil where the format asked for an image
}

// HasLandmarks reports whether the landmarks are known.
func (s *Sample) HasLandmarks() bool {
	for _, p := range s.Landmarks {
		if p[0] != p[0] || p[1] != p[1] {
			return false
		}
	}
	return true
}

// Ref is a place in a source: sample I of part Part, as [Source.Parts] lists them.
type Ref struct {
	Part int32
	I    int32
}

// SourcePart is one part of a source.
type SourcePart struct {
	Name  string
	Count int
}

// Source is where samples come from. Many goroutines may use it at once.
type Source interface {
	// Parts lists the parts that are exported.
	Parts() []SourcePart
	// Origin says what the source is: digests down to the manifest, for export.json.
	Origin() map[string]string
	// Classes returns the identity of each label.
	Classes() []string
	// Shape returns C, H, W of all samples; zero where each has its own.
	Shape() shard.Shape
	// Size returns how many bytes the sample's stored image has; 0 unknown.
	Size(r Ref) (int64, error)
	// Describe fills s but for its image, width and height (which it fills where all samples have the
	// same), without reading pixels.
	Describe(r Ref, s *Sample) error
	// Load fills all of s. The error is a *[cache.Rejection] where this sample is at fault.
	Load(r Ref, s *Sample, w *worker) error
	// Expect says that the samples will be asked for soon, and Forget that they will not be again.
	Expect(r Ref, n int)
	Forget(r Ref, n int)
	Close() error
}
