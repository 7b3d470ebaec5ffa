package export

import (
	"fmt"
	"strconv"
	"strings"
)

// webDataset writes tar archives of WebDataset's form: files that follow each other and share all of
// their name up to the first dot of the last element are one sample.
//
//	train-000000.tar    n000002/0001_01.cls   label in decimal, -1 none
//	                    n000002/0001_01.json  key, identity, age, gender, landmarks, ...
//	                    n000002/0001_01.png   or .jpg
//	                    n000002/0002_01.cls
//
// Within a sample files are sorted by their extensions, as WebDataset's own writer does. Some readers
// cut at the first dot of all, so there is none in a directory's name either: what is not a plain
// letter, digit or sign is %XX, and the JSON's "key" has the key as it was.
type webDataset struct{}

func newWebDataset(*Options) (Format, error) { return webDataset{}, nil }

func (webDataset) Version() string { return "webdataset/1" }

// Three headers of 512 bytes, contents rounded up to as many; the JSON takes one block, now and then two.
func (webDataset) Needs() Needs { return Needs{Beside: 3*tarBlock + 4*tarBlock} }

func (webDataset) Begin(*Set) error { return nil }

func (webDataset) Record(dst []byte, s *Sample) ([]byte, error) {
	name := tarName(s.Key)
	var small [1024]byte
	var err error
	for _, m := range []struct {
		ext  string
		data []byte
	}{
		{"cls", strconv.AppendInt(nil, int64(s.Label), 10)},
		{"json", appendMeta(small[:0], s)},
		{s.Ext, s.Image},
	} {
		if dst, err = appendMember(dst, name+"."+m.ext, m.data); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// tarName makes a member's name of a key.
func tarName(key string) string {
	dir, rest, ok := strings.Cut(key, "/")
	if !ok {
		return plainName(key)
	}
	return plainName(dir) + "/" + plainName(rest)
}

type tarPiece struct{ f *File }

func (webDataset) Piece(p Piece, out *Output) (PieceWriter, error) {
	f, err := out.Create(fmt.Sprintf("%s-%06d.tar", safeName(p.Part), p.I))
	return tarPiece{f}, err
}

func (t tarPiece) Add(_ *Sample, record []byte) error {
	_, err := t.f.Write(record)
	return err
}

// Close writes the archive's end: two blocks of zeros, and more up to a whole record.
func (t tarPiece) Close() error {
	end := make([]byte, 2*tarBlock)
	if rest := (t.f.Size() + int64(len(end))) % tarRecord; rest != 0 {
		end = append(end, make([]byte, tarRecord-rest)...)
	}
	_, err := t.f.Write(end)
	return err
}

func (webDataset) Finish(*Finished, *Output) error { return nil }
