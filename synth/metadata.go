package synth

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/internal/progress"
)

// attributes are the official files' names; each holds a 0/1 an image.
var attributes = [...]string{"01-Male", "02-Black_Hair", "03-Brown_Hair", "04-Gray_Hair", "05-Blond_Hair", "06-Long_Hair",
	"07-Mustache_or_Beard", "08-Wearing_Hat", "09-Eyeglasses", "10-Sunglasses", "11-Mouth_Open"}

// The official attribute files name 30,000 images: five of each of 6,000 train identities.
const (
	attributeRows       = 30000
	attributeIdentities = 6000
	attributeImages     = 5
)

const (
	fileList = iota
	fileBoxes
	fileLandmarks
	subsetFiles
)

const (
	fileTrain      = 0
	fileTest       = subsetFiles
	fileAges       = 2 * subsetFiles
	fileAttributes = fileAges + 1
	fileCount      = fileAttributes + len(attributes)
)

// metadataFiles are the paths of the files of rows, one row an image or nearly.
func metadataFiles(dir string) []string {
	out := make([]string, 0, fileCount)
	for _, s := range []string{"train", "test"} {
		out = append(out,
			filepath.Join(dir, "meta", s+"_list.txt"),
			filepath.Join(dir, "bb_landmark", "loose_bb_"+s+".csv"),
			filepath.Join(dir, "bb_landmark", "loose_landmark_"+s+".csv"))
	}
	out = append(out, filepath.Join(dir, "meta", "image_age.csv"))
	for _, a := range attributes {
		out = append(out, filepath.Join(dir, "attributes", a+".txt"))
	}
	return out
}

// rows are one identity's lines in each file.
type rows [fileCount][]byte

// writeMetadata writes every metadata file, identities in order, in one pass.
func writeMetadata(ctx context.Context, o *Options, people []identity, total int64, report progress.Reporter) error {
	for _, d := range []string{"meta", "bb_landmark", "attributes"} {
		if err := os.MkdirAll(filepath.Join(o.Out, d), 0o755); err != nil {
			return err
		}
	}
	if err := atomicfile.Write(filepath.Join(o.Out, "meta", "identity_meta.csv"), func(w io.Writer) error {
		return writeIdentityMeta(w, people)
	}); err != nil {
		return err
	}
	report.Start(total, "metadata")
	defer report.Done()
	return writeAll(metadataFiles(o.Out), nil, func(ws []io.Writer) error {
		for k := range 2 {
			if _, err := io.WriteString(ws[k*subsetFiles+fileBoxes], "NAME_ID,X,Y,W,H\n"); err != nil {
				return err
			}
			if _, err := io.WriteString(ws[k*subsetFiles+fileLandmarks], "NAME_ID,P1X,P1Y,P2X,P2Y,P3X,P3Y,P4X,P4Y,P5X,P5Y\n"); err != nil {
				return err
			}
		}
		if _, err := io.WriteString(ws[fileAges], "NAME_ID,AGE\n"); err != nil {
			return err
		}
		return writeRows(ctx, o, people, total, ws, report)
	})
}

// writeAll opens the files one inside the other, so that all appear or an error leaves none of
// those that were still open.
func writeAll(paths []string, open []io.Writer, fill func([]io.Writer) error) error {
	if len(open) == len(paths) {
		return fill(open)
	}
	return atomicfile.Write(paths[len(open)], func(w io.Writer) error {
		return writeAll(paths, append(open, w), fill)
	})
}

// writeRows makes the rows of many identities at once and writes them in order.
func writeRows(ctx context.Context, o *Options, people []identity, total int64, ws []io.Writer, report progress.Reporter) error {
	all := total <= attributeRows
	rank := make([]int, len(people)) // among the train identities
	trained := 0
	for i := range people {
		rank[i] = trained
		trained += b2i(!people[i].test)
	}
	group, ctx := errgroup.WithContext(ctx)
	// Rows wait here in order; the queue's length bounds the memory.
	queue := make(chan chan *rows, 4*o.Workers)
	work := make(chan func(), o.Workers)
	group.Go(func() error {
		defer close(queue)
		defer close(work)
		for i := range people {
			done := make(chan *rows, 1)
			p := &people[i]
			marked := p.count
			if !all {
				marked = 0
				if !p.test && rank[i] < attributeIdentities {
					marked = min(p.count, attributeImages)
				}
			}
			if err := ctx.Err(); err != nil { // select alone chooses at random
				return err
			}
			select {
			case queue <- done:
			case <-ctx.Done():
				return ctx.Err()
			}
			work <- func() { done <- p.rows(o.Seed, marked) }
		}
		return nil
	})
	for range o.Workers {
		group.Go(func() error {
			for f := range work {
				f()
			}
			return nil
		})
	}
	group.Go(func() error {
		i := 0
		for done := range queue {
			for k, b := range <-done {
				if _, err := ws[k].Write(b); err != nil {
					return err
				}
			}
			report.Add(int64(people[i].count))
			i++
		}
		return nil
	})
	return group.Wait()
}

// rows makes the lines of one identity; the first marked images have attributes.
func (p *identity) rows(seed uint64, marked int) *rows {
	var r rows
	files := r[fileTrain:]
	if p.test {
		files = r[fileTest:]
	}
	who := p.person(seed)
	var ph photo
	for i, s := range p.slots(seed, nil) {
		p.take(&ph, &who, seed, s)
		files[fileList] = append(s.appendID(files[fileList], p.id), ".jpg\n"...)

		b := appendQuotedID(files[fileBoxes], s, p.id)
		for _, v := range [4]float64{ph.box.X, ph.box.Y, ph.box.W, ph.box.H} {
			b = strconv.AppendInt(append(b, ','), int64(v), 10)
		}
		files[fileBoxes] = append(b, '\n')

		b = appendQuotedID(files[fileLandmarks], s, p.id)
		for _, q := range ph.landmarks {
			b = appendG7(append(b, ','), q.X)
			b = appendG7(append(b, ','), q.Y)
		}
		files[fileLandmarks] = append(b, '\n')

		b = appendQuotedID(r[fileAges], s, p.id)
		r[fileAges] = append(strconv.AppendInt(append(b, ','), int64(ph.age), 10), '\n')

		if i < marked {
			for k, yes := range ph.attributes() {
				b := s.appendID(r[fileAttributes+k], p.id)
				r[fileAttributes+k] = append(append(append(b, ".jpg\t"...), '0'+byte(b2i(yes))), "\r\n"...)
			}
		}
	}
	return &r
}

func appendQuotedID(b []byte, s slot, id string) []byte {
	return append(s.appendID(append(b, '"'), id), '"')
}

// appendG7 is C's %.7g for |x| < 1e7, without an exponent: seven digits, no zeros at the end.
func appendG7(b []byte, x float64) []byte { return strconv.AppendFloat(b, x, 'g', 7, 64) }

// attributes tells what the official attribute files say of an image, in their order.
func (ph *photo) attributes() [len(attributes)]bool {
	p := &ph.who
	grey := p.greyFrom+10 < float64(ph.age)
	bright := float64(p.hair.r + p.hair.g + p.hair.b)
	hair := p.style != hairBald && !ph.hat && !grey
	return [...]bool{
		!p.female,
		hair && bright < 120,
		hair && bright >= 120 && bright < 380,
		grey && p.style != hairBald && !ph.hat,
		hair && bright >= 380,
		p.style.long(),
		p.beard > beardStubble && ph.stubble > 0.4,
		ph.hat,
		ph.glasses || ph.shades,
		ph.shades,
		ph.head.open > 0.15,
	}
}

// writeIdentityMeta writes the official table as released in 2018: a comma and a space between
// fields, the name in quotes.
func writeIdentityMeta(w io.Writer, people []identity) error {
	if _, err := io.WriteString(w, "Class_ID, Name, Sample_Num, Flag, Gender\n"); err != nil {
		return err
	}
	for _, p := range people {
		if _, err := fmt.Fprintf(w, "%s, \"%s\", %d, %d, %c\n", p.id, p.name, p.count, b2i(!p.test), "mf"[b2i(p.female)]); err != nil {
			return err
		}
	}
	return nil
}
