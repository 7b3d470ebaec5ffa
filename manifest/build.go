package manifest

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/internal/progress"
)

// BuildOptions says what to build a manifest from. Input files that are not given are looked for
// below Root: in meta/, bb_landmark/, attributes/, Root itself and the same in data/. The text
// [None] instead of a file switches a kind of input off.
type BuildOptions struct {
	Root   string // holds train/ and test/, or data/train/ and data/test/
	Layout Layout // of what is below the root; "" is VGGFace2
	Out    string // the manifest to write

	IdentityMeta string
	Lists        []string // train or test is told by "train" or "test" in the name
	Boxes        []string
	Landmarks    []string
	Ages         []string // per image
	IdentityAges string
	Attributes   []string // NN-Name.txt files, MAAD_Face.csv, or directories with such files

	Tombstones *Tombstones // images to leave out

	NoScan    bool // do not open images: no sizes, formats and digests
	TrustList bool // do not list directories either: an image is there if a list says so
	Workers   int  // 0 is one a CPU
	Progress  progress.Reporter
}

// Summary is what became of a build. Its JSON is flat: the counts stand beside the rest.
type Summary struct {
	Counts
	Out             string               `json:"out"`
	Digest          string               `json:"digest"`
	Inputs          []Input              `json:"inputs"`
	Examples        map[string][]Problem `json:"problem_examples"` // at most five a code
	UnreadableDirs  int                  `json:"unreadable_directories"`
	Seconds         float64              `json:"seconds"`
	ImagesPerSecond float64              `json:"images_per_second"`
}

// builder collects inputs into a store and writes it.
type builder struct {
	o      BuildOptions
	store  *store
	log    *problemLog
	inputs []Input
	prefix string // of paths, "" or "data/"
	unread int

	loaded map[string]bool // kinds of input that were read
	listed map[Subset]bool // subsets that have a list
	people int             // identities in identity_meta.csv
}

// Build reads the tree and its metadata and writes the manifest. Data that does not fit is no
// error; it is recorded and counted. An error means that there is no new manifest: an input that
// is not what it was taken for, a full disk, or ctx's cancellation.
func Build(ctx context.Context, o BuildOptions) (*Summary, error) {
	start := time.Now()
	if o.Workers <= 0 {
		o.Workers = runtime.NumCPU()
	}
	if err := o.checkLayout(); err != nil {
		return nil, err
	}
	report := progress.Or(o.Progress)
	root, err := os.OpenRoot(o.Root)
	if err != nil {
		return nil, fmt.Errorf("root: %w", err)
	}
	defer root.Close()
	b := &builder{o: o, store: newStore(), log: newProblemLog(), loaded: map[string]bool{}, listed: map[Subset]bool{}}
	if err := b.readIdentities(ctx); err != nil {
		return nil, err
	}
	if err := b.readTree(ctx, root, report); err != nil {
		return nil, err
	}
	if err := b.readTables(ctx, report); err != nil {
		return nil, err
	}
	b.store.sort()
	if !o.NoScan {
		if err := b.scan(ctx, root, o.Workers, report); err != nil {
			return nil, err
		}
	}
	s, err := b.write(ctx, report)
	if err != nil {
		return nil, err
	}
	s.Seconds = time.Since(start).Seconds()
	s.ImagesPerSecond = float64(s.Images) / s.Seconds
	return s, nil
}

func (b *builder) readTree(ctx context.Context, root *os.Root, report progress.Reporter) error {
	if b.o.Layout != VGGFace2 {
		return b.readLayout(ctx, root, report)
	}
	prefix, ok := findPrefix(root)
	b.prefix = prefix
	if b.o.TrustList {
		return nil
	}
	if !ok {
		return fmt.Errorf("%s: neither train/ nor test/ is there, nor data/train or data/test (--trust-list goes by the list files alone)", b.o.Root)
	}
	t := &tree{root: root, prefix: prefix, workers: b.o.Workers, store: b.store, log: b.log}
	report.Start(-1, "list directories")
	defer report.Done()
	for _, subset := range []Subset{Train, Test} {
		if err := t.list(ctx, subset, func(n int) { report.Add(int64(n)) }); err != nil {
			return err
		}
	}
	b.unread = t.unread
	b.store.sort()
	return nil
}

// readLayout lists the images of a layout other than VGGFace2's.
func (b *builder) readLayout(ctx context.Context, root *os.Root, report progress.Reporter) error {
	t := &tree{root: root, workers: b.o.Workers, store: b.store, log: b.log}
	report.Start(-1, "list directories")
	defer report.Done()
	list := t.listFolders
	if b.o.Layout == UTKFace {
		list = t.listUTKFace
	}
	if err := list(ctx, func(n int) { report.Add(int64(n)) }); err != nil {
		return err
	}
	b.unread = t.unread
	b.store.sort()
	if slices.ContainsFunc(b.store.people, func(p *person) bool { return len(p.rows) > 0 }) {
		return nil
	}
	for _, code := range []string{BadName, StrangeFile, OutsideRoot, UnreadableDir} {
		if ex := b.log.examples[code]; len(ex) > 0 {
			return fmt.Errorf("%s: no image of layout %s; of %d names the first: %v", b.o.Root, b.o.Layout, b.log.counts[code], ex[0])
		}
	}
	return fmt.Errorf("%s: no image of layout %s: nothing is there", b.o.Root, b.o.Layout)
}

// each opens one kind's files in turn and hands them to parse.
func (b *builder) each(ctx context.Context, kind string, paths []string, parse func(in *inputFile, path string) error) error {
	for _, path := range paths {
		if err := ctx.Err(); err != nil {
			return err
		}
		in, err := openInput(ctx, b.o.Root, kind, path)
		if err != nil {
			return err
		}
		in.workers = b.o.Workers
		if b.o.Layout != VGGFace2 {
			in.find, in.lost = b.findPath, lostCodes[kind]
		}
		perr := parse(in, path)
		input, err := in.close()
		if perr != nil {
			return perr
		}
		if err != nil {
			return err
		}
		b.inputs = append(b.inputs, input)
		b.loaded[kind] = true
	}
	return nil
}

func one(path string) []string {
	if path == "" {
		return nil
	}
	return []string{path}
}

func (b *builder) readIdentities(ctx context.Context) error {
	metas, ages := [][]string{{"identity_meta.csv"}, {"identity_meta_with_estimated_age.csv"}}, [][]string{{"identity_age.csv"}, {"identity_meta_with_estimated_age.csv"}}
	if b.o.Layout != VGGFace2 {
		metas, ages = nil, nil
	}
	files, err := find(b.o.Root, one(b.o.IdentityMeta), metas...)
	if err != nil {
		return err
	}
	if err := b.each(ctx, kindIdentityMeta, files, func(in *inputFile, _ string) error {
		return parseIdentityMeta(in, in.shown, b.log, func(line int, id Identity) {
			p := b.store.person([]byte(id.ID), true)
			if p.listed {
				b.log.add(DuplicateIdentity, in.shown, line, "%s is named again", id.ID)
				return
			}
			p.Identity, p.listed = id, true
			b.people++
			if id.Age == id.Age {
				p.ageSource = intern(&b.store.ageSources, "identity:"+filepath.Base(in.shown))
			}
		})
	}); err != nil {
		return err
	}
	means, err := find(b.o.Root, one(b.o.IdentityAges), ages...)
	if err != nil {
		return err
	}
	if slices.Equal(means, files) {
		return nil // its ages have been read
	}
	return b.each(ctx, kindIdentityAges, means, func(in *inputFile, _ string) error {
		return parseIdentityAges(in, in.shown, b.log, func(_ int, id Identity) {
			if p := b.store.person([]byte(id.ID), false); p != nil && id.Age == id.Age {
				p.Age = id.Age
				p.ageSource = intern(&b.store.ageSources, "identity:"+filepath.Base(in.shown))
			}
		})
	})
}

func (b *builder) readTables(ctx context.Context, report progress.Reporter) error {
	report.Start(-1, "read metadata")
	defer report.Done()
	steps := []struct {
		kind         string
		given        []string
		alternatives [][]string
		parse        func(in *inputFile, path string) error
	}{
		{kindList, b.o.Lists, [][]string{{"train_list.txt", "test_list.txt"}, {"train.txt", "test.txt"}}, b.readList},
		{kindBoxes, b.o.Boxes, [][]string{{"loose_bb_train.csv", "loose_bb_test.csv"}, {"loose_bb.csv"}}, b.readBoxes},
		{kindLandmarks, b.o.Landmarks, [][]string{{"loose_landmark_train.csv", "loose_landmark_test.csv"}, {"loose_landmark.csv"}}, b.readLandmarks},
		{kindAges, b.o.Ages, [][]string{{"image_age.csv"}}, b.readAges},
		{kindAttributes, b.o.Attributes, [][]string{{"[0-9][0-9]-*.txt", "MAAD_Face.csv"}}, b.readAttributes},
	}
	for _, s := range steps {
		if b.o.Layout != VGGFace2 { // directories below the root are identities or their like
			s.alternatives = nil
		}
		files, err := find(b.o.Root, s.given, s.alternatives...)
		if err == nil && s.kind == kindAttributes {
			files, err = expandDirs(files)
		}
		if err != nil {
			return err
		}
		if err := b.each(ctx, s.kind, files, func(in *inputFile, path string) error {
			report.Note(in.shown)
			return s.parse(in, path)
		}); err != nil {
			return err
		}
	}
	if b.o.TrustList && !b.loaded[kindList] {
		return fmt.Errorf("%s: --trust-list needs train_list.txt or test_list.txt", b.o.Root)
	}
	return nil
}

// expandDirs replaces directories by the attribute files in them.
func expandDirs(paths []string) (files []string, err error) {
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil || !info.IsDir() {
			files = append(files, p) // opening it tells what is wrong
			continue
		}
		for _, pattern := range []string{"[0-9][0-9]-*.txt", "MAAD_Face.csv"} {
			found, err := filepath.Glob(filepath.Join(escapeGlob(p), pattern))
			if err != nil {
				return nil, err
			}
			files = append(files, found...)
		}
	}
	return files, nil
}

func (b *builder) readList(in *inputFile, path string) error {
	subset := subsetOf(path)
	flag, disk := listedTrain|listedTest, onDiskTrain // a list of unknown subset contradicts none
	switch subset {
	case Train:
		flag = listedTrain
		b.listed[Train] = true
	case Test:
		flag, disk = listedTest, onDiskTest
		b.listed[Test] = true
	default:
		b.listed[Train], b.listed[Test] = true, true
	}
	return parseList(in, in.shown, b.log, func(line int, identity []byte, image, fc int32) {
		p, r := b.store.row(identity, image, fc, true)
		if r.flags&flag == flag {
			b.log.add(DuplicateLine, in.shown, line, "%s is named again", ImageID{p.ID, image, fc})
		}
		r.flags |= flag
		if b.o.TrustList {
			if subset == "" && p.Subset == Test {
				r.flags |= onDiskTest
			} else {
				r.flags |= disk
			}
		}
	})
}

// label marks that a table of the subset names the row.
func label(r *row, subset Subset) {
	switch subset {
	case Train:
		r.flags |= labelTrain
	case Test:
		r.flags |= labelTest
	}
}

func (b *builder) readBoxes(in *inputFile, path string) error {
	subset := subsetOf(path)
	return parseBoxes(in, in.shown, b.log, func(line int, identity []byte, image, fc int32, v []float32) {
		p, r := b.store.row(identity, image, fc, true)
		label(r, subset)
		if !r.is(hasBox) {
			r.flags |= hasBox
			copy(r.box[:], v)
			return
		}
		b.again(in, line, p, r, slices.Equal(r.box[:], v), BoxDuplicate)
	})
}

func (b *builder) readLandmarks(in *inputFile, path string) error {
	subset := subsetOf(path)
	return parseLandmarks(in, in.shown, b.log, func(line int, identity []byte, image, fc int32, v []float32) {
		p, r := b.store.row(identity, image, fc, true)
		label(r, subset)
		if !r.is(hasMarks) {
			r.flags |= hasMarks
			copy(r.marks[:], v)
			return
		}
		b.again(in, line, p, r, slices.Equal(r.marks[:], v), LandmarksDup)
	})
}

// again records that a table names an image a second time.
func (b *builder) again(in *inputFile, line int, p *person, r *row, same bool, code string) {
	id := ImageID{p.ID, int32(r.key >> 32), int32(uint32(r.key))}
	if same {
		b.log.add(DuplicateLine, in.shown, line, "%s is named again", id)
		return
	}
	r.set(code)
	b.log.example(code, in.shown, line, "%s is named again with other values; the first count", id)
}

func (b *builder) readAges(in *inputFile, _ string) error {
	source := intern(&b.store.ageSources, "image:"+filepath.Base(in.shown))
	return parseImageAges(in, in.shown, b.log, func(line int, identity []byte, image, fc int32, age float32) {
		_, r := b.store.row(identity, image, fc, false)
		switch {
		case r == nil:
			b.log.add(AgeNoImage, in.shown, line, "%s is no image of the tree or the lists", ImageID{string(identity), image, fc})
		case r.ageSource == 0:
			r.age, r.ageSource = age, source
		case r.ageSource == source:
			b.log.add(DuplicateLine, in.shown, line, "%s is named again; the first age counts", ImageID{string(identity), image, fc})
		}
	})
}

func (b *builder) readAttributes(in *inputFile, path string) error {
	missing := func(line int, identity []byte, image, fc int32) {
		b.log.add(AttributeNoImage, in.shown, line, "%s is no image of the tree or the lists", ImageID{string(identity), image, fc})
	}
	if !strings.HasSuffix(strings.ToLower(path), ".csv") {
		name, err := attributeName(in.shown)
		if err != nil {
			return err
		}
		bit, ok := b.store.attribute(name)
		if !ok {
			return fmt.Errorf("%s: more than %d attributes", in.shown, maxAttributes)
		}
		return parseAttribute(in, in.shown, b.log, func(line int, identity []byte, image, fc int32, yes bool) {
			p, r := b.store.row(identity, image, fc, false)
			if r == nil {
				missing(line, identity, image, fc)
				return
			}
			var y uint64
			if yes {
				y = 1 << bit
			}
			p.setAttributes(r, 1<<bit, y)
		})
	}
	var shift int
	return parseMAAD(in, in.shown, b.log, func(names []string) error {
		// Their bits are moved as one block, so they must be new and stand side by side.
		shift = len(b.store.attributes)
		for i, name := range names {
			if bit, ok := b.store.attribute(name); !ok || bit != shift+i {
				return fmt.Errorf("attribute %s is one too many or occurs twice", name)
			}
		}
		return nil
	}, func(line int, identity []byte, image, fc int32, known, yes uint64) {
		p, r := b.store.row(identity, image, fc, false)
		if r == nil {
			missing(line, identity, image, fc)
			return
		}
		p.setAttributes(r, known<<shift, yes<<shift)
	})
}

// write streams the rows into the manifest.
func (b *builder) write(ctx context.Context, report progress.Reporter) (*Summary, error) {
	slices.SortFunc(b.inputs, func(x, y Input) int {
		if c := strings.Compare(x.Kind, y.Kind); c != 0 {
			return c
		}
		return strings.Compare(x.Path, y.Path)
	})
	b.finish()
	forgotten := b.forget(b.o.Tombstones)
	var ids []Identity
	if !b.o.Layout.Anonymous() {
		ids = make([]Identity, 0, len(b.store.people))
		for _, p := range b.store.people {
			ids = append(ids, p.Identity)
		}
	}
	s := &Summary{Out: b.o.Out, Inputs: b.inputs, Examples: b.log.examples, UnreadableDirs: b.unread}
	if s.Inputs == nil {
		s.Inputs = []Input{}
	}
	report.Start(-1, "write")
	defer report.Done()
	err := atomicfile.Write(b.o.Out, func(w io.Writer) error {
		h := digest.New()
		out := newWriter(io.MultiWriter(w, h), b.o.Layout, b.store.attributes, ids)
		spans, rows := b.spans()
		if err := out.groups(b.o.Workers, rows, func(first int, g *group) error {
			return b.fill(ctx, spans, first, g, func(n int) { report.Add(int64(n)) })
		}); err != nil {
			return err
		}
		if err := out.close(b.inputs, Counts{Scanned: !b.o.NoScan, Listed: b.people, ProblemCounts: b.log.counts, Forgotten: forgotten}); err != nil {
			return err
		}
		s.Counts, s.Digest = out.counts, h.String()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}
