package export

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/vf2prep/vf2prep/internal/tfevents"
)

// tfRecord writes TensorFlow's record files, each record one tf.train.Example:
//
//	image/encoded       bytes  a PNG or JPEG
//	image/format        bytes  "png" or "jpeg"
//	image/height        int64
//	image/width         int64
//	image/key/sha256    bytes  of image/encoded, 64 hex digits
//	image/source_id     bytes  the key, "n000002/0001_01"
//	image/class/label   int64  -1 none
//	image/class/text    bytes  the identity
//	face/age            float  years; NaN unknown
//	face/gender         int64  0 male, 1 female, -1 unknown
//	face/landmarks      float  x, y of five points; NaN unknown
//	face/box            float  X, Y, W, H; photos only; NaN unknown
//
// Names of files and the descriptions beside them (tfds.go) are TensorFlow Datasets'.
type tfRecord struct {
	set   *Set
	boxes bool
}

func newTFRecord(*Options) (Format, error) { return &tfRecord{}, nil }

func (*tfRecord) Version() string { return "tfrecord/1" }

// The frame of a record, the names of the features and their values but the image.
func (*tfRecord) Needs() Needs { return Needs{Beside: 1024} }

func (t *tfRecord) Begin(set *Set) error {
	t.set, t.boxes = set, set.Origin["kind"] == "photos"
	return nil
}

// Fields of tensorflow/core/example/feature.proto and example.proto.
const (
	exampleFeatures = 1
	featuresFeature = 1 // a map: entries with a key and a value
	entryKey        = 1
	entryValue      = 2
	featureBytes    = 1
	featureFloats   = 2
	featureInts     = 3
	listValue       = 1
)

func (t *tfRecord) Record(dst []byte, s *Sample) ([]byte, error) {
	format := "png"
	if s.Ext == "jpg" {
		format = "jpeg"
	}
	sum := sha256.Sum256(s.Image)
	var hexSum [2 * len(sum)]byte
	hex.Encode(hexSum[:], sum[:])
	landmarks := make([]float32, 0, 10)
	for _, p := range s.Landmarks {
		landmarks = append(landmarks, p[0], p[1])
	}
	f := features{}
	f.floats("face/age", s.Age)
	if t.boxes {
		box := s.Box
		if nan := float32(math.NaN()); box == nil {
			box = &[4]float32{nan, nan, nan, nan}
		}
		f.floats("face/box", box[:]...)
	}
	f.int("face/gender", int64(s.Gender))
	f.floats("face/landmarks", landmarks...)
	f.int("image/class/label", int64(s.Label))
	f.text("image/class/text", s.Identity)
	small := len(f.b) // the image goes between, without being copied twice
	f.text("image/format", format)
	f.int("image/height", int64(s.Height))
	f.text("image/key/sha256", string(hexSum[:]))
	f.text("image/source_id", s.Key)
	f.int("image/width", int64(s.Width))

	const name = "image/encoded"
	list := protowire.SizeTag(listValue) + protowire.SizeBytes(len(s.Image))
	feature := protowire.SizeTag(featureBytes) + protowire.SizeBytes(list)
	entry := protowire.SizeTag(entryKey) + protowire.SizeBytes(len(name)) + protowire.SizeTag(entryValue) + protowire.SizeBytes(feature)
	all := len(f.b) + protowire.SizeTag(featuresFeature) + protowire.SizeBytes(entry)

	start := len(dst)
	b := tfevents.OpenRecord(dst)
	b = lengthOf(b, exampleFeatures, all)
	b = append(b, f.b[:small]...)
	b = lengthOf(b, featuresFeature, entry)
	b = protowire.AppendTag(b, entryKey, protowire.BytesType)
	b = protowire.AppendString(b, name)
	b = lengthOf(b, entryValue, feature)
	b = lengthOf(b, featureBytes, list)
	b = protowire.AppendTag(b, listValue, protowire.BytesType)
	b = protowire.AppendBytes(b, s.Image)
	b = append(b, f.b[small:]...)
	return tfevents.CloseRecord(b, start), nil
}

// lengthOf begins a field of n bytes.
func lengthOf(b []byte, field protowire.Number, n int) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.BytesType), uint64(n))
}

// features is the entries of a tf.train.Features, appended in the order of their names so that the
// same sample has the same bytes.
type features struct {
	b, value []byte
}

func (f *features) add(name string, kind protowire.Number, list []byte) {
	f.value = protowire.AppendBytes(protowire.AppendTag(f.value[:0], kind, protowire.BytesType), list)
	n := protowire.SizeTag(entryKey) + protowire.SizeBytes(len(name)) + protowire.SizeTag(entryValue) + protowire.SizeBytes(len(f.value))
	f.b = lengthOf(f.b, featuresFeature, n)
	f.b = protowire.AppendString(protowire.AppendTag(f.b, entryKey, protowire.BytesType), name)
	f.b = protowire.AppendBytes(protowire.AppendTag(f.b, entryValue, protowire.BytesType), f.value)
}

func (f *features) text(name, v string) {
	f.add(name, featureBytes, protowire.AppendString(protowire.AppendTag(nil, listValue, protowire.BytesType), v))
}

func (f *features) int(name string, v int64) {
	list := protowire.AppendVarint(nil, uint64(v))
	f.add(name, featureInts, protowire.AppendBytes(protowire.AppendTag(nil, listValue, protowire.BytesType), list))
}

func (f *features) floats(name string, v ...float32) {
	var list []byte
	for _, x := range v {
		if x != x {
			x = math.Float32frombits(0x7fc00000) // one NaN, so that the bytes are the same everywhere
		}
		list = protowire.AppendFixed32(list, math.Float32bits(x))
	}
	f.add(name, featureFloats, protowire.AppendBytes(protowire.AppendTag(nil, listValue, protowire.BytesType), list))
}

func (t *tfRecord) Piece(p Piece, out *Output) (PieceWriter, error) {
	f, err := out.Create(fmt.Sprintf("%s-%s.tfrecord-%05d-of-%05d", t.set.Name, safeName(p.Part), p.I, p.N))
	return recordPiece{f}, err
}

// recordPiece is a file of records without a head or an end.
type recordPiece struct{ f *File }

func (p recordPiece) Add(_ *Sample, record []byte) error {
	_, err := p.f.Write(record)
	return err
}

func (recordPiece) Close() error { return nil }
