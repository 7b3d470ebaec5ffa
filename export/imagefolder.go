package export

import (
	"bytes"
	"errors"
	"strconv"
)

// imageFolder writes a file a sample, in a directory a class: what torchvision's ImageFolder, Keras's
// image_dataset_from_directory and most other programs read.
//
//	train/n000002/0001_01.png
//	train.csv                  image,key,label,identity,age,gender,x1,y1,...,x5,y5
//	files.sha256               as sha256sum writes and checks it
//
// Labels that such readers give are places in the sorted list of the directories of one part. They
// are those of the shards only where a part has images of every class; the table has the labels.
type imageFolder struct {
	set *Set
}

func newImageFolder(*Options) (Format, error) { return &imageFolder{}, nil }

func (*imageFolder) Version() string { return "imagefolder/1" }

// A file takes up to a block of 4 KiB more than its bytes, and an inode.
func (*imageFolder) Needs() Needs { return Needs{Beside: 4096, Whole: true, Per: looseSamples} }

func (f *imageFolder) Begin(set *Set) error {
	f.set = set
	return nil
}

func (f *imageFolder) Path(s *Sample) (string, error) {
	return safeName(s.Part) + "/" + safeName(s.Identity) + "/" + safeName(keyName(s.Key)) + "." + s.Ext, nil
}

// Dirs returns the parts.
func (f *imageFolder) Dirs() []string { return f.set.partDirs() }

func (*imageFolder) Record(dst []byte, _ *Sample) ([]byte, error) { return dst, nil }

func (*imageFolder) Piece(Piece, *Output) (PieceWriter, error) {
	return nil, errors.New("export: files are written one by one")
}

// Finish writes the table of each part.
func (f *imageFolder) Finish(done *Finished, out *Output) error {
	for _, p := range done.Parts {
		w, err := out.Create(safeName(p.Name) + ".csv")
		if err != nil {
			return err
		}
		if _, err := w.Write([]byte("image,key,label,identity,age,gender,x1,y1,x2,y2,x3,y3,x4,y4,x5,y5\n")); err != nil {
			return err
		}
		var row []byte
		for s, err := range done.Samples(p.Name) {
			if err != nil {
				return err
			}
			name, err := f.Path(s)
			if err != nil {
				return err
			}
			row = appendRow(row[:0], name, s)
			if _, err := w.Write(row); err != nil {
				return err
			}
		}
	}
	return nil
}

// appendRow appends a sample's line; what is unknown is empty.
func appendRow(b []byte, name string, s *Sample) []byte {
	b = appendCSV(b, name)
	b = append(b, ',')
	b = appendCSV(b, s.Key)
	b = append(b, ',')
	b = strconv.AppendInt(b, int64(s.Label), 10)
	b = append(b, ',')
	b = appendCSV(b, s.Identity)
	b = append(b, ',')
	if s.Age == s.Age {
		b = appendFloat(b, s.Age)
	}
	b = append(b, ',')
	if s.Gender >= 0 {
		b = strconv.AppendInt(b, int64(s.Gender), 10)
	}
	for _, p := range s.Landmarks {
		for _, v := range p {
			b = append(b, ',')
			if v == v {
				b = appendFloat(b, v)
			}
		}
	}
	return append(b, '\n')
}

// appendCSV appends a field, quoted where it has to be.
func appendCSV(b []byte, s string) []byte {
	if !bytes.ContainsAny([]byte(s), ",\"\r\n") {
		return append(b, s...)
	}
	b = append(b, '"')
	for _, c := range []byte(s) {
		if c == '"' {
			b = append(b, '"')
		}
		b = append(b, c)
	}
	return append(b, '"')
}
