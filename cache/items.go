package cache

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/zeebo/xxh3"

	"github.com/vf2prep/vf2prep/face"
	"github.com/vf2prep/vf2prep/manifest"
	"github.com/vf2prep/vf2prep/rng"
	"github.com/vf2prep/vf2prep/shard"
	"github.com/vf2prep/vf2prep/split"
)

// item is what is needed of one image to make its sample.
type item struct {
	key       string
	path      string
	xxh3      uint64
	bytes     int64      // the file's length, 0 unknown
	box       [4]float32 // boxes are whole numbers
	landmarks [10]float32
	age       float32
	label     int32
	gender    int8
	hasBox    bool
	hasMarks  bool
	problem   string // why the manifest calls the image unusable, or forgottenProblem
}

// forgottenProblem is no code of a manifest: the image is in a list of what must not be used. Nothing else
// of it is kept.
const forgottenProblem = "to be forgotten"

// reject returns the reject of an item whose photo is not looked at, because of its problem.
func (it *item) reject() shard.Reject {
	if it.problem == forgottenProblem {
		return shard.Forgotten()
	}
	return shard.Reject{Key: it.key, Stage: "manifest", Reason: it.problem}
}

func (it *item) faceBox() *face.Box {
	if !it.hasBox {
		return nil
	}
	b := it.box
	return &face.Box{X: float64(b[0]), Y: float64(b[1]), W: float64(b[2]), H: float64(b[3])}
}

func (it *item) faceLandmarks() *face.Landmarks {
	if !it.hasMarks {
		return nil
	}
	var l face.Landmarks
	for i := range l {
		l[i] = face.Point{X: float64(it.landmarks[2*i]), Y: float64(it.landmarks[2*i+1])}
	}
	return &l
}

func newItem(r *manifest.Record, p split.Part, labels map[string]int32) item {
	it := item{
		key: r.ID.String(), path: r.Path, xxh3: r.XXH3, bytes: r.Bytes,
		age: r.Age, label: -1, gender: int8(r.Gender),
		hasBox: r.HasBox, hasMarks: r.HasLandmarks,
	}
	if l, ok := labels[r.ID.Identity]; ok && p != split.Test {
		it.label = l
	}
	it.box = [4]float32{float32(r.Box.X), float32(r.Box.Y), float32(r.Box.W), float32(r.Box.H)}
	for i, q := range r.Landmarks {
		it.landmarks[2*i], it.landmarks[2*i+1] = float32(q.X), float32(q.Y)
	}
	for _, code := range r.Problems {
		if !(&manifest.Record{Problems: []string{code}}).Usable() {
			it.problem = code
			break
		}
	}
	return it
}

// points is where the landmarks are in a sample, pixels.
type points [5][2]float32

// moved returns an item's landmarks as the map moves them.
func (it *item) moved(to face.Affine) (out points) {
	nan := float32(math.NaN())
	for i := range out {
		out[i] = [2]float32{nan, nan}
		if l := it.faceLandmarks(); l != nil {
			p := to.Apply(l[i])
			out[i] = [2]float32{float32(p.X), float32(p.Y)}
		}
	}
	return out
}

// sample returns the sample of an item without its pixels.
func (it *item) sample(at points) shard.Sample {
	return shard.Sample{Key: it.key, Label: it.label, Age: it.age, Gender: it.gender, Landmarks: at}
}

// cachedParts are the parts of a split that become shards, in this order.
var cachedParts = []split.Part{split.Train, split.Val, split.Test}

// items are the images of a plan: some 100 bytes each in a file, so that memory hardly grows
// with the data set, and 8 bytes each in memory.
//
// Rows are numbered in the order of the manifest, which is that of the directories; positions
// count through the parts, each in its seeded order, so they follow from the split and the seed.
type items struct {
	f      *os.File
	path   string
	offset []uint32 // of each row's record, in units of itemAlign
	order  []uint32 // row of each position
	paths  []uint64 // XXH3 of each row's path, where they were asked for

	forgotten map[string]int // rows of each part that must not be used
}

const (
	itemsName = "build.items"
	itemAlign = 8
	// A record is rarely longer, so one read usually does.
	itemGuess = 256
	maxItem   = 1 << 16
)

// collect joins a split with its manifest and writes the items to a file in dir.
func (p *Plan) collect(dir string, withPaths bool) (_ *items, err error) {
	m, err := manifest.Open(p.o.Manifest)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	if p.manifest != m.Digest() {
		return nil, fmt.Errorf("%s changed since the plan was made: %w", p.o.Manifest, split.ErrMismatch)
	}
	x := &items{path: filepath.Join(dir, itemsName), forgotten: map[string]int{}}
	if x.f, err = os.Create(x.path); err != nil {
		return nil, err
	}
	_ = os.Remove(x.path) // where the system lets it go on living without a name, nothing is left of it after a kill
	defer func() {
		if err != nil {
			x.close()
		}
	}()
	w := bufio.NewWriterSize(x.f, 1<<20)
	labels := p.split.Labels()
	rows := make([][]uint32, len(cachedParts))
	var buf []byte
	at := uint64(0)
	for q, err := range p.split.Join(m) {
		if err != nil {
			return nil, err
		}
		part := slices.Index(cachedParts, q.Part)
		if part < 0 {
			continue
		}
		it := newItem(q.Record, q.Part, labels)
		if p.o.Tombstones.Covers(it.key) {
			it = item{label: -1, gender: -1, problem: forgottenProblem}
			x.forgotten[p.Parts[part].Part]++
		}
		buf = it.append(buf[:0])
		if len(buf) > maxItem || at/itemAlign > math.MaxUint32 {
			return nil, fmt.Errorf("%s: record of %d bytes: too long", it.key, len(buf))
		}
		rows[part] = append(rows[part], uint32(len(x.offset)))
		x.offset = append(x.offset, uint32(at/itemAlign))
		if withPaths {
			x.paths = append(x.paths, xxh3.HashString(it.path))
		}
		if _, err := w.Write(buf); err != nil {
			return nil, err
		}
		at += uint64(len(buf))
	}
	if err := w.Flush(); err != nil {
		return nil, err
	}
	x.order = make([]uint32, 0, len(x.offset))
	for i, part := range cachedParts {
		r := rows[i]
		if want := p.Parts[i].Images; len(r) != want {
			return nil, fmt.Errorf("%s: %d images of %s, split.json says %d: %w", p.o.Split, len(r), part, want, split.ErrCorrupt)
		}
		rng.Stream(p.o.Seed, "cache order", part.String()).Shuffle(len(r), func(i, j int) { r[i], r[j] = r[j], r[i] })
		x.order = append(x.order, r...)
	}
	return x, nil
}

func (x *items) close() {
	x.f.Close()
	_ = os.Remove(x.path)
}

// append adds the item's record to b.
func (it *item) append(b []byte) []byte {
	start := len(b)
	b = binary.LittleEndian.AppendUint64(b, it.xxh3)
	for _, v := range it.box {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	for _, v := range it.landmarks {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	b = binary.LittleEndian.AppendUint32(b, math.Float32bits(it.age))
	b = binary.LittleEndian.AppendUint32(b, uint32(it.label))
	flags := byte(0)
	if it.hasBox {
		flags |= 1
	}
	if it.hasMarks {
		flags |= 2
	}
	b = binary.LittleEndian.AppendUint64(b, uint64(it.bytes))
	b = append(b, byte(it.gender), flags)
	for _, s := range []string{it.key, it.path, it.problem} {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(s)))
	}
	b = append(append(append(b, it.key...), it.path...), it.problem...)
	for (len(b)-start)%itemAlign != 0 {
		b = append(b, 0)
	}
	return b
}

// fixedItem is the length of a record without its texts.
const fixedItem = 8 + 16 + 40 + 4 + 4 + 8 + 2 + 6

// read returns the item of a row. buf is scratch memory, kept for the next call. Many goroutines
// may call it at once.
func (x *items) read(row uint32, buf *[]byte) (item, error) {
	at := int64(x.offset[row]) * itemAlign
	*buf = slices.Grow((*buf)[:0], itemGuess)[:itemGuess]
	n, err := x.f.ReadAt(*buf, at)
	if n < fixedItem {
		return item{}, fmt.Errorf("%s: %w", itemsName, err)
	}
	b := (*buf)[:n]
	var lengths [3]int
	sum := 0
	for i := range lengths {
		lengths[i] = int(binary.LittleEndian.Uint16(b[fixedItem-6+2*i:]))
		sum += lengths[i]
	}
	if fixedItem+sum > n {
		*buf = slices.Grow((*buf)[:0], fixedItem+sum)[:fixedItem+sum]
		b = *buf
		if _, err := x.f.ReadAt(b, at); err != nil {
			return item{}, fmt.Errorf("%s: %w", itemsName, err)
		}
	}
	float := func(at int) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b[at:])) }
	it := item{xxh3: binary.LittleEndian.Uint64(b), age: float(64), label: int32(binary.LittleEndian.Uint32(b[68:])), gender: int8(b[80])}
	it.bytes = int64(binary.LittleEndian.Uint64(b[72:]))
	for i := range it.box {
		it.box[i] = float(8 + 4*i)
	}
	for i := range it.landmarks {
		it.landmarks[i] = float(24 + 4*i)
	}
	it.hasBox, it.hasMarks = b[81]&1 != 0, b[81]&2 != 0
	texts := string(b[fixedItem : fixedItem+sum])
	it.key, it.path, it.problem = texts[:lengths[0]], texts[lengths[0]:lengths[0]+lengths[1]], texts[lengths[0]+lengths[1]:]
	return it, nil
}
