package export

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/vf2prep/vf2prep/internal/recordio"
)

// mxnetRec writes MXNet's record files as InsightFace's data sets have them, a directory a part:
//
//	train/train.rec   record 0, labels [N+1, N+1+M] and no image: where the identities' records are
//	                  records 1 to N, labels [label, 1] and an image each, those of an identity together
//	                  records N+1 to N+M, labels [first, last+1] and no image: an identity's images
//	train/train.idx   number and offset of each record
//	train/train.lst   1 (aligned), key and label of each image
//	train/property    classes,height,width
//
// Labels are those of the shards: classes without an image have no record of their own, but count in property.
// Images of an identity have the order of the shards.
//
// J. Deng et al., ArcFace, 2019: MXFaceDataset and the sequence iterators of its training.
type mxnetRec struct {
	set    *Set
	labels map[string][]int32 // of each part, in the order that was chosen
}

// mxnetPlain writes MXNet's record files as im2rec does, for DALI, mx.io.ImageRecordIter and others: PART.rec, PART.idx
// and PART.lst, a record a sample in the shards' order, the label in its header. Records are numbered from 0.
type mxnetPlain struct{}

func newMXNet(o *Options) (Format, error) {
	if o.Plain {
		return mxnetPlain{}, nil
	}
	return &mxnetRec{labels: map[string][]int32{}}, nil
}

func (*mxnetRec) Version() string  { return "mxnet-rec/1" }
func (mxnetPlain) Version() string { return "mxnet-rec-plain/1" }

// Frame, header and two labels of a record.
func (*mxnetRec) Needs() Needs  { return Needs{Beside: 8 + 24 + 8 + 4, Whole: true, JPEG: true} }
func (mxnetPlain) Needs() Needs { return Needs{Beside: 8 + 24 + 4, Whole: true, JPEG: true} }

// maxFloat is how far whole numbers are exact in the 32-bit floats that labels are.
const maxFloat = 1 << 24

// identities counts the labels of a sorted list.
func identities(labels []int32) (n int) {
	for i, l := range labels {
		if i == 0 || l != labels[i-1] {
			n++
		}
	}
	return n
}

// countable says whether floats count all of a part's records.
func countable(samples, identities int) error {
	if samples+identities+1 > maxFloat {
		return fmt.Errorf("%d samples of %d identities: numbers of records are floats, exact up to %d: choose fewer, or --plain: %w", samples, identities, maxFloat, ErrOption)
	}
	return nil
}

// Choose orders the samples by their labels.
func (f *mxnetRec) Choose(src Source) (parts []ChosenPart, err error) {
	var s Sample
	for i, part := range src.Parts() {
		p := ChosenPart{Name: part.Name, Order: make([]Ref, part.Count)}
		labels := make([]int32, part.Count)
		for j := range part.Count {
			r := Ref{int32(i), int32(j)}
			if err := src.Describe(r, &s); err != nil {
				return nil, err
			}
			if s.Label < 0 {
				return nil, fmt.Errorf("%s: %s has no label, and InsightFace's record files have images of identities alone: choose other parts, or --plain: %w", part.Name, s.Key, ErrOption)
			}
			p.Order[j], labels[j] = r, s.Label
		}
		slices.SortStableFunc(p.Order, func(a, b Ref) int { return int(labels[a.I]) - int(labels[b.I]) })
		slices.Sort(labels)
		if err := countable(part.Count, identities(labels)); err != nil {
			return nil, fmt.Errorf("%s: %w", part.Name, err)
		}
		f.labels[part.Name] = labels
		parts = append(parts, p)
	}
	return parts, nil
}

func (f *mxnetRec) Begin(set *Set) error {
	if set.Shape == [3]int{} {
		return fmt.Errorf("InsightFace's record files hold faces that are aligned to one size, photos are not: export shards, or with --plain: %w", ErrOption)
	}
	f.set = set
	return nil
}

func (mxnetPlain) Begin(set *Set) error {
	if len(set.Classes) >= maxFloat {
		return fmt.Errorf("%d classes: labels are floats, exact up to %d", len(set.Classes), maxFloat)
	}
	return nil
}

// Dirs returns the parts.
func (f *mxnetRec) Dirs() []string { return f.set.partDirs() }

// Record leaves it to Add, which knows the number.
func (*mxnetRec) Record(dst []byte, _ *Sample) ([]byte, error)  { return dst, nil }
func (mxnetPlain) Record(dst []byte, _ *Sample) ([]byte, error) { return dst, nil }

// recFiles are the three files of a part that grow together.
type recFiles struct {
	rec, idx, lst *Span
	buf, line     []byte
}

func continueRec(out *Output, name string) (r *recFiles, err error) {
	r = &recFiles{}
	for _, f := range []struct {
		to  **Span
		ext string
	}{{&r.rec, ".rec"}, {&r.idx, ".idx"}, {&r.lst, ".lst"}} {
		if *f.to, err = out.Continue(name + f.ext); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// add writes a record and its line in .idx.
func (r *recFiles) add(number int, labels []float32, image []byte) error {
	h := recordio.Header{Labels: labels, Array: len(labels) != 1, ID: uint64(number)}
	r.buf = append(recordio.AppendHeader(r.buf[:0], h), image...)
	frame, err := recordio.Append(r.buf, r.buf)
	if err != nil {
		return err
	}
	r.line = strconv.AppendInt(append(strconv.AppendInt(r.line[:0], int64(number), 10), '\t'), r.rec.Size(), 10)
	if _, err := r.idx.Write(append(r.line, '\n')); err != nil {
		return err
	}
	_, err = r.rec.Write(frame[len(r.buf):])
	r.buf = frame
	return err
}

type plainRecPiece struct {
	*recFiles
	next int
}

func (mxnetPlain) Piece(p Piece, out *Output) (PieceWriter, error) {
	r, err := continueRec(out, safeName(p.Part))
	return &plainRecPiece{r, p.Before}, err
}

func (w *plainRecPiece) Add(s *Sample, _ []byte) error {
	n := w.next
	w.next++
	// As im2rec has it: number, label, path.
	_, err := fmt.Fprintf(w.lst, "%d\t%d\t%s\n", n, s.Label, oneLine(s.Key))
	return errors.Join(w.add(n, []float32{float32(s.Label)}, s.Image), err)
}

func (*plainRecPiece) Close() error { return nil }

// Finish writes the files of parts without samples, which no piece has begun.
func (mxnetPlain) Finish(done *Finished, out *Output) error {
	for _, p := range done.Parts {
		if p.Count == 0 {
			if err := writeRec(out, safeName(p.Name), nil, ""); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeRec writes the three files of a part without images.
func writeRec(out *Output, name string, rec []byte, idx string) error {
	return errors.Join(out.WriteFile(name+".rec", rec), out.WriteFile(name+".idx", []byte(idx)), out.WriteFile(name+".lst", nil))
}

// mxnetPiece continues the files of a part.
type mxnetPiece struct {
	*recFiles
	piece  Piece
	counts map[int32]int // written images of each label
	next   int           // number of the next image
}

func (f *mxnetRec) Piece(p Piece, out *Output) (PieceWriter, error) {
	r, err := continueRec(out, safeName(p.Part)+"/train")
	if err != nil {
		return nil, err
	}
	w := &mxnetPiece{recFiles: r, piece: p, counts: map[int32]int{}, next: p.Before + 1}
	for _, l := range f.labels[p.Part][:p.From] {
		w.counts[l]++
	}
	for _, i := range p.Gone {
		w.counts[f.labels[p.Part][i]]--
	}
	if p.First() {
		all := f.labels[p.Part]
		err = w.add(0, rangeOf(len(all)+1, identities(all)), nil) // put right at the end, where some are rejected
	}
	return w, err
}

// rangeOf are the labels that mean so many records from one on.
func rangeOf(first, count int) []float32 { return []float32{float32(first), float32(first + count)} }

func (w *mxnetPiece) Add(s *Sample, _ []byte) error {
	n := w.next
	w.next++
	w.counts[s.Label]++
	_, err := fmt.Fprintf(w.lst, "1\t%s\t%d\n", oneLine(s.Key), s.Label)
	return errors.Join(w.add(n, []float32{float32(s.Label), 1}, s.Image), err)
}

// Close writes the records of the identities behind the last piece.
func (w *mxnetPiece) Close() error {
	if !w.piece.Last() {
		return nil
	}
	var labels []int32
	for l, n := range w.counts {
		if n > 0 {
			labels = append(labels, l)
		}
	}
	slices.Sort(labels)
	images := w.next
	first := 1
	for i, l := range labels {
		if err := w.add(images+i, rangeOf(first, w.counts[l]), nil); err != nil {
			return err
		}
		first += w.counts[l]
	}
	h := recordio.Header{Labels: rangeOf(images, len(labels)), Array: true}
	head, err := recordio.Append(nil, recordio.AppendHeader(nil, h))
	if err != nil {
		return err
	}
	return w.rec.Patch(head, 0)
}

// Finish writes property, and the files of parts without samples.
func (f *mxnetRec) Finish(done *Finished, out *Output) error {
	for _, p := range done.Parts {
		text := fmt.Sprintf("%d,%d,%d", len(done.Classes), done.Shape[1], done.Shape[2])
		if err := out.WriteFile(safeName(p.Name)+"/property", []byte(text)); err != nil {
			return err
		}
		if p.Count > 0 {
			continue
		}
		h := recordio.Header{Labels: rangeOf(1, 0), Array: true}
		head, err := recordio.Append(nil, recordio.AppendHeader(nil, h))
		if err == nil {
			err = writeRec(out, safeName(p.Name)+"/train", head, "0\t0\n")
		}
		if err != nil {
			return err
		}
	}
	return nil
}
