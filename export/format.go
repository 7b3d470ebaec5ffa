package export

import (
	"fmt"
	"iter"
	"strings"

	"github.com/vf2prep/vf2prep/shard"
)

// Format is how samples look in the files of some other program. Its methods are called one after
// another, but for Record.
type Format interface {
	// Version names how the files are written. It changes when their bytes do.
	Version() string

	// Needs says what the format asks of the samples and of the pieces.
	Needs() Needs

	// Begin looks at what is to be exported, before anything is written. The error says what
	// the format can't express.
	Begin(set *Set) error

	// Record appends what stands for a sample in its piece to dst. Many goroutines call it at once;
	// it is where the work of a format is best done. A format may leave it all to Add.
	Record(dst []byte, s *Sample) ([]byte, error)

	// Piece begins a piece, whose files come from out.
	Piece(p Piece, out *Output) (PieceWriter, error)

	// Finish writes the files that follow from all samples, such as a description.
	Finish(f *Finished, out *Output) error
}

// PieceWriter takes the samples of a piece that could be read, in order.
type PieceWriter interface {
	// Add takes a sample and the record that was made of it. Neither may be kept.
	Add(s *Sample, record []byte) error
	// Close ends the piece's files; syncing and naming them is done by others.
	Close() error
}

// Chooser is a Format that says itself which samples come in which order, such as pairs.
type Chooser interface {
	Format
	// Choose returns the parts to be written. It is called before Begin.
	Choose(src Source) ([]ChosenPart, error)
}

// Nested is a Format that puts files into directories.
type Nested interface {
	Format
	// Dirs names the directories at the top. They are the export's alone: they are made and removed
	// with all that they hold.
	Dirs() []string
}

// ChosenPart is a part of an export whose samples a format chose.
type ChosenPart struct {
	Name  string
	Order []Ref
}

// Needs is what a format asks for.
type Needs struct {
	Pixels bool  // planes instead of an image in a file format
	Beside int64 // bytes that a sample takes beside its image, at most; for the planning of pieces
	// Whole says that each part is one file, or that every sample is one: pieces only say how far an
	// interrupted export was, and their size is not the user's choice but this many samples (0: by
	// bytes).
	Whole bool
	Per   int
	Group int // so many samples that follow each other stay in one piece; 0: one
	// All says that a sample that can't be read is an error instead of a reject.
	All bool
	// JPEG says that the format's readers expect JPEGs: the default instead of PNG.
	JPEG bool
}

// Set is what is exported, as a format needs to know it.
type Set struct {
	Name    string // for file names, of letters, digits and "_"
	Classes []string
	Shape   shard.Shape // zero for photos
	Ext     string      // of the images: "png" or "jpg"; "" for pixels
	Parts   []PartPlan
	Origin  map[string]string // see [Source.Origin]
	Options *Options
}

// partDirs are the directories of formats that have one for each part.
func (s *Set) partDirs() (dirs []string) {
	for _, p := range s.Parts {
		dirs = append(dirs, safeName(p.Name))
	}
	return dirs
}

// PartPlan is one part of an export.
type PartPlan struct {
	Name   string
	Count  int // samples planned
	Pieces []Piece
}

// Piece is some samples of one part.
type Piece struct {
	Part     string
	I, N     int // which of the part's pieces
	From, To int // its samples, places in the part
	Planned  int // samples of the whole part
	// Before is how many samples the part's pieces before this one hold: From less the rejects. It is
	// known for formats that need a part to be one file.
	Before int
	Gone   []int // places in the part of samples of pieces before this one that were rejected, likewise

	part  int // which of the set's parts
	bytes int64
}

// First and Last say whether the piece begins or ends its part.
func (p Piece) First() bool { return p.I == 0 }

// Last says whether the piece ends its part.
func (p Piece) Last() bool { return p.I == p.N-1 }

// Finished is an export whose pieces are all written.
type Finished struct {
	*Set
	Counts  map[string]int         // samples of each part, those that were rejected left out
	Pieces  map[string][]PieceDone // of each part
	samples func(part string) iter.Seq2[*Sample, error]
}

// PieceDone is what became of a piece.
type PieceDone struct {
	Samples int
	Files   []FileInfo
}

// Samples yields the samples of a part that were written, in their order, without their images.
// The sample is valid until the next one.
func (f *Finished) Samples(part string) iter.Seq2[*Sample, error] { return f.samples(part) }

// kind is a format by its name.
type kind struct {
	name, about string
	make        func(o *Options) (Format, error)
}

// kinds are the formats, in the order of their names in the help.
var kinds = []kind{
	{"webdataset", "tar archives, key.png, key.cls and key.json a sample", newWebDataset},
	{"tfrecord", "tf.train.Example records, described for TensorFlow Datasets", newTFRecord},
	{"parquet-hf", "Parquet with a dataset card, for Hugging Face's datasets and Hub", newParquetHF},
	{"imagefolder", "a file a sample, a directory a class, for torchvision and others", newImageFolder},
	{"npy", "plain NumPy arrays of pixels, labels, ages, genders and landmarks", newNPY},
	{"mxnet-rec", "MXNet's record files, as InsightFace's data sets or --plain, for DALI and others", newMXNet},
	{"insightface-bin", "the pairs of --pairs in one file, as InsightFace's lfw.bin", newInsightfaceBin},
}

// Formats lists what [Options.To] may say.
func Formats() (names []string) {
	for _, k := range kinds {
		names = append(names, k.name)
	}
	return names
}

// About describes each format in a line.
func About() string {
	var b strings.Builder
	for _, k := range kinds {
		fmt.Fprintf(&b, "  %-16s %s\n", k.name, k.about)
	}
	return b.String()
}

func newFormat(o *Options) (Format, error) {
	for _, k := range kinds {
		if k.name == o.To {
			return k.make(o)
		}
	}
	return nil, fmt.Errorf("no format %q, there are %s: %w", o.To, strings.Join(Formats(), ", "), ErrOption)
}
