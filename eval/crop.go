package eval

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/vf2prep/vf2prep/cache"
	"github.com/vf2prep/vf2prep/face"
	"github.com/vf2prep/vf2prep/internal/capped"
	"github.com/vf2prep/vf2prep/jpeg"
	"github.com/vf2prep/vf2prep/shard"
)

// Box is where the face is in every image of a set of aligned images, as shares of the image's
// width and height: x and y of the upper left corner, width, height.
type Box [4]float64

// Points is where five landmarks are, likewise: x and y of left eye, right eye, nose, left and
// right mouth corner.
type Points [10]float64

// Where the face is in LFW's deep-funneled images: the means of the boxes and landmarks that a
// detector found in 229 of them, in the conventions of VGGFace2's own. Of 250 pixels the
// landmarks deviate by 2 to 6 and the box's sides by 11 to 17, so that a crop made with them is
// less exact than one made with boxes or landmarks of the image itself.
var (
	LFWBox    = Box{0.29, 0.225, 0.405, 0.537}
	LFWPoints = Points{0.416, 0.451, 0.579, 0.447, 0.500, 0.549, 0.433, 0.629, 0.573, 0.627}
)

// ParseBox reads "0.25,0.25,0.5,0.5".
func ParseBox(text string) (Box, error) {
	var b Box
	err := parseShares(text, b[:])
	if err == nil && (b[2] <= 0 || b[3] <= 0) {
		err = errors.New("width and height must be above 0")
	}
	if err != nil {
		return b, fmt.Errorf("box %q: %w", text, err)
	}
	return b, nil
}

// ParsePoints reads ten numbers as x1,y1,..,x5,y5.
func ParsePoints(text string) (Points, error) {
	var p Points
	if err := parseShares(text, p[:]); err != nil {
		return p, fmt.Errorf("landmarks %q: %w", text, err)
	}
	return p, nil
}

func parseShares(text string, to []float64) error {
	f := strings.Split(text, ",")
	if len(f) != len(to) {
		return fmt.Errorf("%d numbers, want %d, parted by commas", len(f), len(to))
	}
	for i, s := range f {
		v, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
		if err != nil || !(v >= -1 && v <= 2) {
			return fmt.Errorf("%q is no share of an image's side", s)
		}
		to[i] = v
	}
	return nil
}

// TrainingRecipe returns the recipe that a network's pixels were made with, given its name and
// digest: from a shard set where there is one, else from those that are known by name. The
// error wraps [ErrMismatch] when the set was made by another.
func TrainingRecipe(set *shard.Set, name, digest string) (*cache.Recipe, error) {
	if set == nil {
		r, err := cache.LoadRecipe(name, "")
		if err != nil || digest != "" && r.Digest() != digest {
			return nil, fmt.Errorf("recipe %q of the training is none that is known by name; a shard set made with it holds it", name)
		}
		return r, nil
	}
	if err := checkRecipe(set, digest); err != nil {
		return nil, err
	}
	return cache.ParseRecipe(set.Index().RecipeText)
}

// maxImage is the longest image file that is read, in bytes.
const maxImage = 64 << 20

// AlignedImages is a folder of images that all show the face at one place, as LFW's do; it is a
// [Crop].
type AlignedImages struct {
	recipe *cache.Recipe
	root   *os.Root
	box    Box
	points Points
}

// OpenAligned opens a folder of aligned images. The recipe is the training's; box and points say
// where the face is. A recipe of the whole image reads neither.
func OpenAligned(dir string, recipe *cache.Recipe, box Box, points Points) (*AlignedImages, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &AlignedImages{recipe, root, box, points}, nil
}

// Close closes the folder.
func (a *AlignedImages) Close() error { return a.root.Close() }

// Shape returns the recipe's.
func (a *AlignedImages) Shape() (c, h, w int) { return 3, a.recipe.Height, a.recipe.Width }

func (a *AlignedImages) String() string {
	switch a.recipe.Geometry {
	case cache.Box:
		return fmt.Sprintf("recipe %s, box %v of each image", a.recipe.Name, a.box)
	case cache.Similarity:
		return fmt.Sprintf("recipe %s, landmarks at %v of each image", a.recipe.Name, a.points)
	}
	return fmt.Sprintf("recipe %s", a.recipe.Name)
}

// Load reads an image below the folder; no path and no link leads out of it.
func (a *AlignedImages) Load(path string, dst []uint8) error {
	data, err := a.read(path)
	if err != nil {
		return err
	}
	head, err := jpeg.ReadHeader(data)
	if err != nil {
		return err
	}
	w, h := float64(head.Width), float64(head.Height)
	box := face.Box{X: a.box[0] * w, Y: a.box[1] * h, W: a.box[2] * w, H: a.box[3] * h}
	var points face.Landmarks
	for i := range points {
		points[i] = face.Point{X: a.points[2*i] * w, Y: a.points[2*i+1] * h}
	}
	_, err = a.recipe.Transform(data, &box, &points, dst)
	return err
}

// videoFolders are where the frames of a video may lie: in YouTube Faces' folders, of which the
// aligned one comes first, in which the face is at one place, or in a folder of its own.
func videoFolders(video string) []string {
	return []string{"aligned_images_DB/" + video, "frame_images_DB/" + video, video}
}

// maxFrames is how many images of one video are believed; YouTube Faces' longest has 6,070.
const maxFrames = 1 << 17

// Frames returns a video's frames: the JPEGs of aligned_images_DB/VIDEO, frame_images_DB/VIDEO or
// VIDEO itself, whichever is there first, in the order of their names.
func (a *AlignedImages) Frames(video string) ([]string, error) {
	for _, dir := range videoFolders(video) {
		f, err := a.root.Open(filepath.FromSlash(dir))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		entries, err := f.ReadDir(maxFrames + 1)
		f.Close()
		if err != nil && err != io.EOF {
			return nil, err
		}
		if len(entries) > maxFrames { // not some of them in the file system's order
			return nil, fmt.Errorf("more than %d files in %s", maxFrames, dir)
		}
		var out []string
		for _, e := range entries {
			if isJPEG(e.Name()) {
				out = append(out, dir+"/"+e.Name())
			}
		}
		slices.Sort(out)
		return out, nil
	}
	return nil, fs.ErrNotExist
}

func isJPEG(name string) bool {
	ext := strings.ToLower(filepath.Ext(name))
	return ext == ".jpg" || ext == ".jpeg"
}

// read reads an image; a path may be a key, which lacks the file's extension.
func (a *AlignedImages) read(path string) ([]byte, error) {
	f, _, err := capped.OpenIn(a.root, path, maxImage, nil)
	if errors.Is(err, fs.ErrNotExist) && withoutExtension(path) == path {
		f, _, err = capped.OpenIn(a.root, path+".jpg", maxImage, nil)
	}
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fs.ErrNotExist
		}
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxImage))
}
