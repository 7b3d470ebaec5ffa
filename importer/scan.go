package importer

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/vf2prep/vf2prep/internal/capped"
	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/internal/progress"
	"github.com/vf2prep/vf2prep/internal/recordio"
	"github.com/vf2prep/vf2prep/manifest"
	"github.com/vf2prep/vf2prep/shard"
)

// item is an image of a record file, or what should be one.
type item struct {
	at     int64 // of its record
	label  int32 // -1 none; of rejects rejected
	number int32 // which of its label's images, from 1; of rejects which reject
}

const rejected = -2

// scan is what one pass over a record file finds: 16 bytes an image.
type scan struct {
	size    int64
	records int
	items   []item
	rejects []shard.Reject
	classes int    // labels are below
	bytes   int64  // of images
	first   []byte // image that can be decoded
	digest  string // of all records, where they are, and property
	digits  int    // of an identity's number
	missing int    // images that InsightFace's first record counts and the file has not
	perID   map[int32]int32
}

// noLabel is the identity of images without one.
const noLabel = "unlabelled"

// key names an image: "id000123/0001_01", by label and place among the label's images.
func (s *scan) key(it item) string {
	return manifest.ImageID{Identity: s.class(it.label), Image: it.number, Face: 1}.String()
}

func (s *scan) class(label int32) string {
	if label < 0 {
		return noLabel
	}
	return fmt.Sprintf("id%0*d", s.digits, label)
}

// property is what InsightFace keeps beside a record file: classes,height,width.
type property struct{ classes, height, width int }

// readProperty reads the file "property" in a directory; nil where there is none.
func readProperty(dir string) (*property, error) {
	path := filepath.Join(dir, "property")
	if _, err := os.Stat(path); err != nil {
		return nil, nil
	}
	b, err := capped.Read(path, 1<<12, ErrRec)
	if err != nil {
		return nil, err
	}
	f := strings.Split(strings.TrimSpace(string(b)), ",")
	var n [3]int
	for i := range n {
		if len(f) != 3 {
			return nil, fmt.Errorf("%s: %.60q, want classes,height,width: %w", path, b, ErrRec)
		}
		v, err := strconv.Atoi(strings.TrimSpace(f[i]))
		if err != nil || v < 1 || v > maxClasses {
			return nil, fmt.Errorf("%s: %.60q, want classes,height,width: %w", path, b, ErrRec)
		}
		n[i] = v
	}
	return &property{n[0], n[1], n[2]}, nil
}

// idRange is a record that looks like those with which InsightFace finds identities.
type idRange struct {
	at     int64
	behind bool // its number is not among those in the range
}

// rangeOfRecords tells InsightFace's record 0, and those of identities, which have a range of records and no image, from
// images: their second label is 0 or 1. InsightFace's own tool writes the images first, then record 0, then the identities
// (src/data/face2rec2.py); other files begin with record 0.
func rangeOfRecords(h recordio.Header, image []byte) bool {
	l := h.Labels
	return len(image) == 0 && h.Array && len(l) == 2 && l[0] >= 1 && l[1] >= l[0] && l[1] > 1
}

// scanFile finds the images of a record file. What holds none is a reject with its offset.
func scanFile(ctx context.Context, f *os.File, size int64, prop *property, report progress.Reporter) (*scan, error) {
	s := &scan{size: size, digits: 6, perID: map[int32]int32{}}
	sum := digest.New()
	if prop != nil {
		fmt.Fprintf(sum, "%v\n", *prop)
		s.classes = prop.classes
	}
	r := recordio.NewReader(f, size, maxRecord)
	var labels []float32
	var ranges []idRange
	found, damaged := false, false // record 0; anything that it may have been
	announced := float32(0)
	report.Start(size, "read "+filepath.Base(f.Name()))
	defer report.Done()
	for ; ; s.records++ {
		if s.records%256 == 0 {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
		}
		record, at, err := r.Next()
		if err == io.EOF {
			break
		}
		report.Add(r.Offset() - at)
		var head [8]byte
		binary.LittleEndian.PutUint64(head[:], uint64(at))
		sum.Write(head[:])
		sum.Write(record)
		var damage *recordio.Damage
		if errors.As(err, &damage) {
			fmt.Fprintln(sum, damage.Reason)
			damaged = true
			if err := s.reject(at, "", "damaged record", damage.Reason); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name(), err)
		}
		h, image, err := recordio.CutHeader(record, labels)
		if labels = h.Labels; err != nil {
			damaged = true
			err := s.reject(at, "", "damaged record", err.Error())
			if err != nil {
				return nil, err
			}
			continue
		}
		if rangeOfRecords(h, image) {
			if !found && (s.records == 0 || h.ID == 0) {
				found, announced = true, labels[0]-1
			}
			if len(ranges) > maxClasses {
				return nil, fmt.Errorf("%s: more than %d records of identities: %w", f.Name(), maxClasses, ErrRec)
			}
			ranges = append(ranges, idRange{at, float64(h.ID) >= float64(labels[1])})
			continue
		}
		it, err := s.item(at, labels, image, prop != nil)
		if err != nil {
			err := s.reject(at, "", "label", err.Error())
			if err != nil {
				return nil, err
			}
			continue
		}
		s.items = append(s.items, it)
		s.bytes += int64(len(image))
		if s.first == nil {
			if _, _, err := sizeOf(image); err == nil {
				s.first = append([]byte{}, image...)
			}
		}
	}
	for _, r := range ranges {
		if found || damaged && r.behind {
			continue
		}
		if err := s.reject(r.at, "", "no image", "the record ends behind its header"); err != nil {
			return nil, err
		}
	}
	if len(s.items) == 0 {
		return nil, fmt.Errorf("%s: no image in %d bytes, %d records: %w", f.Name(), size, s.records, ErrRec)
	}
	if prop == nil {
		s.sparse()
	}
	if n := int(min(announced, 1<<30)) - len(s.items); n > 0 {
		s.missing = n
		if err := s.reject(size, "", "missing images", fmt.Sprintf("record 0 counts %.0f images, the file has %d fewer", announced, n)); err != nil {
			return nil, err
		}
	}
	s.digits = max(s.digits, len(strconv.Itoa(s.classes-1))) // so that names are sorted as labels are
	s.digest = sum.String()
	return s, nil
}

// reject appends an item that is no image.
func (s *scan) reject(at int64, key, reason, detail string) error {
	if len(s.rejects) == maxDamage {
		return fmt.Errorf("more than %d records are damaged or have no label: %w", maxDamage, ErrRec)
	}
	s.items = append(s.items, item{at: at, label: rejected, number: int32(len(s.rejects))})
	s.rejects = append(s.rejects, shard.Reject{Key: key, Stage: "record", Reason: reason, Detail: fmt.Sprintf("at byte %d: %s", at, detail)})
	return nil
}

// item returns an image by its label.
func (s *scan) item(at int64, labels []float32, image []byte, bounded bool) (item, error) {
	if len(labels) == 0 {
		return item{}, errors.New("the header has no label")
	}
	v := labels[0]
	limit := maxClasses
	if bounded {
		limit = s.classes
	}
	label := int32(-1)
	switch {
	case v == -1:
	case !(v >= 0 && v < float32(limit)) || v != float32(int32(v)):
		return item{}, fmt.Errorf("%v is no label, want whole numbers below %d", v, limit)
	default:
		label = int32(v)
		s.classes = max(s.classes, int(label)+1)
	}
	s.perID[label]++
	return item{at, label, s.perID[label]}, nil
}

// sparse refuses labels that are far beyond the number of images: damage, where no file says how many
// classes there are, must not become millions of names.
func (s *scan) sparse() {
	limit := int32(min(maxClasses, 16*len(s.items)+1024))
	most := int32(-1)
	for i := range s.items {
		it := &s.items[i]
		if it.label >= limit && len(s.rejects) < maxDamage {
			delete(s.perID, it.label)
			s.rejects = append(s.rejects, shard.Reject{Stage: "record", Reason: "label", Detail: fmt.Sprintf("at byte %d: label %d among %d images", it.at, it.label, len(s.items))})
			it.label, it.number = rejected, int32(len(s.rejects)-1)
			continue
		}
		most = max(most, it.label)
	}
	s.classes = int(most) + 1
}
