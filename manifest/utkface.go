package manifest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
)

// UTKFace's own bounds: Z. Zhang, Y. Song, H. Qi, "Age Progression/Regression by Conditional
// Adversarial Autoencoder", CVPR 2017, and the data set's page.
const (
	maxUTKAge = 116 // years
	// maxUTKTime is the most digits of the time, which has 17: yyyymmddHHMMSSFFF. Some have 16.
	maxUTKTime = 20
)

// utkRaces are the values of a name's third field. The attributes have a prefix since they were
// made by other means than other data sets' of the same name.
var utkRaces = [...]string{"utkface_White", "utkface_Black", "utkface_Asian", "utkface_Indian", "utkface_Others"}

// ageFromName is the [Record].AgeSource of an age that the file's name tells.
const ageFromName = "file-name"

// utkName is what a file's name says.
type utkName struct {
	stem   string // without extensions: unique in the data set, and the image's identity
	age    int    // years
	gender Gender
	race   int // index into utkRaces
}

// parseUTKName reads a file's name, age_gender_race_time.jpg or, of the aligned and cropped faces,
// age_gender_race_time.jpg.chip.jpg. The error says what of it can't be read.
func parseUTKName(file string) (n utkName, err error) {
	ext, ok := extension(file)
	if !ok {
		return n, errors.New("is no JPEG's name")
	}
	n.stem = strings.TrimSuffix(file, ext)
	if chip, ok := strings.CutSuffix(n.stem, ".chip"); ok {
		if ext, ok = extension(chip); !ok {
			return n, errors.New("has no .jpg before .chip.jpg")
		}
		n.stem = strings.TrimSuffix(chip, ext)
	}
	if len(n.stem) > maxIdentity { // long before it is quoted
		return n, fmt.Errorf("has %d bytes before its extension, at most %d are taken", len(n.stem), maxIdentity)
	}
	f := strings.Split(n.stem, "_")
	if len(f) != 4 {
		return n, fmt.Errorf("has %d fields, want 4: age_gender_race_time.jpg", len(f))
	}
	if n.age, ok = smallNumber(f[0], maxUTKAge); !ok {
		return n, fmt.Errorf("age: %q is no age from 0 to %d", f[0], maxUTKAge)
	}
	g, ok := smallNumber(f[1], 1)
	if !ok {
		return n, fmt.Errorf("gender: %q is neither 0 (male) nor 1 (female)", f[1])
	}
	n.gender = Gender(g)
	if n.race, ok = smallNumber(f[2], len(utkRaces)-1); !ok {
		return n, fmt.Errorf("race: %q is none of 0 to %d", f[2], len(utkRaces)-1)
	}
	if t := f[3]; t == "" || len(t) > maxUTKTime || strings.Trim(t, "0123456789") != "" {
		return n, fmt.Errorf("time: %q is no time such as 20170116174525125", f[3])
	}
	return n, nil
}

// smallNumber reads a decimal number from 0 to limit in its only spelling.
func smallNumber(s string, limit int) (int, bool) {
	if len(s) > 3 {
		return 0, false
	}
	v, err := strconv.Atoi(s)
	return v, err == nil && v >= 0 && v <= limit && strconv.Itoa(v) == s
}

// maxLevels is how many directories may lie between the root and an image of UTKFace, whose
// archives hold one or two.
const maxLevels = 8

// walker visits the JPEGs below a root.
type walker struct {
	ctx    context.Context
	root   *os.Root
	tree   *tree // for its log; nil where nobody asks
	image  func(dir, name string, link bool)
	listed func() // after each directory
}

// walk visits dir's files in the order of their names, then its directories. A link to a
// directory is not followed: it could lead round in a circle.
func (w *walker) walk(dir string, depth int) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	entries, err := readDir(w.root, dir)
	if err != nil {
		if w.tree != nil {
			w.tree.unreadable(w.tree.log, dir, err)
			w.tree.unread++
		}
		return nil
	}
	var dirs []string
	for _, e := range entries {
		name := e.Name()
		_, ok := extension(name)
		link := e.Type()&fs.ModeSymlink != 0
		why := strange(name)
		switch {
		case why != "":
		case e.IsDir() && depth < maxLevels:
			dirs = append(dirs, name)
			continue
		case e.IsDir():
			why = fmt.Sprintf("lies more than %d directories deep", maxLevels)
		case !ok && link:
			why = "is a link, but no JPEG by its name"
		case !ok:
			why = "is no JPEG by its name"
		case e.Type()&^fs.ModeSymlink != 0:
			why = "is no file"
		default:
			w.image(dir, name, link)
		}
		if why != "" && w.tree != nil {
			w.tree.log.add(StrangeFile, dir, 0, "%q %s", name, why)
		}
	}
	if w.listed != nil {
		w.listed()
	}
	for _, name := range dirs {
		if err := w.walk(path.Join(dir, name), depth+1); err != nil {
			return err
		}
	}
	return nil
}

// listUTKFace adds a row for every image below the root whose name tells age, gender and race.
// Each is an identity of its own: who is shown is not known.
func (t *tree) listUTKFace(ctx context.Context, done func(n int)) error {
	var bits [len(utkRaces)]uint64
	var all uint64
	for i, name := range utkRaces {
		bit, _ := t.store.attribute(name)
		bits[i] = 1 << bit
		all |= bits[i]
	}
	source := intern(&t.store.ageSources, ageFromName)
	w := &walker{ctx: ctx, root: t.root, tree: t, listed: func() { done(1) }}
	w.image = func(dir, name string, link bool) {
		n, err := parseUTKName(name)
		if err != nil {
			t.log.add(BadName, dir, 0, "%q %v", name, err)
			return
		}
		p := t.store.person([]byte(n.stem), true)
		if len(p.rows) > 0 {
			p.rows[0].set(DuplicateImage)
			t.log.example(DuplicateImage, path.Join(dir, name), 0, "%s is there already", p.names[0])
			return
		}
		r := p.add(rowKey(1, 1))
		r.flags |= onDiskTrain
		if link {
			r.flags |= isLink
		}
		p.names = []string{path.Join(dir, name)}
		p.Gender, p.Age, p.ageSource = n.gender, float32(n.age), source
		p.setAttributes(r, all, bits[n.race])
	}
	return w.walk(".", 0)
}
