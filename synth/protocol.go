package synth

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/rng"
)

// Protocols are the template protocols whose files [RunProtocol] makes.
var Protocols = []string{"ijba", "ijbb", "ijbc", "vggface2-templates"}

// ProtocolOptions say what files of a template protocol to make.
type ProtocolOptions struct {
	Protocol string
	Out      string
	Subjects int
	Width    int     // of the embeddings
	Missing  float64 // share of the faces that get no embedding, as if no face had been found
	Seed     uint64
	Force    bool // write into a directory that holds other things; nothing is deleted
}

// ProtocolResult is what was made.
type ProtocolResult struct {
	Out        string `json:"out"`
	Protocol   string `json:"protocol"`
	Subjects   int    `json:"subjects"`
	Templates  int    `json:"templates"`
	Faces      int    `json:"faces"` // different ones
	Embeddings int    `json:"embeddings"`
	Files      int    `json:"files"`
}

const (
	maxProtocolSubjects = 5000
	maxProtocolWidth    = 4096
)

// protocolSet is a set in the making: its faces with their embeddings and its files.
type protocolSet struct {
	o    ProtocolOptions
	keys []string
	data []float32
	seen map[string]bool
	res  ProtocolResult
	next int // template id
}

// RunProtocol writes the files of a template protocol exactly as their releases have them, filled
// with invented subjects, and embeddings.npy with embeddings.keys.txt for their faces. No image is
// drawn: an embedding is a subject's vector plus one of the medium plus one of the face, plus, for
// VGGFace2's lists, one of the pose and one of the age. The same options give the same bytes on
// every machine.
//
// The sets are small, and so easy that only the machinery is tested by them, no network.
func RunProtocol(o ProtocolOptions) (*ProtocolResult, error) {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{ErrOptions}, args...)...)
	}
	switch {
	case !slices.Contains(Protocols, o.Protocol):
		return nil, bad("no protocol %q, want one of %s", o.Protocol, strings.Join(Protocols, ", "))
	case o.Out == "":
		return nil, bad("no output directory")
	case o.Subjects < 6 || o.Subjects > maxProtocolSubjects:
		return nil, bad("%d subjects, want 6 to %d", o.Subjects, maxProtocolSubjects)
	case o.Width < 2 || o.Width > maxProtocolWidth:
		return nil, bad("embeddings of %d values, want 2 to %d", o.Width, maxProtocolWidth)
	case !(o.Missing >= 0 && o.Missing < 1):
		return nil, bad("%g of the faces without embedding, want 0 to below 1", o.Missing)
	}
	names, err := os.ReadDir(o.Out)
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	if len(names) > 0 && !o.Force {
		return nil, fmt.Errorf("%s: %w: choose another directory, or --force", o.Out, ErrForeign)
	}
	s := &protocolSet{o: o, seen: map[string]bool{}, res: ProtocolResult{Out: o.Out, Protocol: o.Protocol, Subjects: o.Subjects}}
	switch o.Protocol {
	case "ijba":
		err = s.ijba()
	case "vggface2-templates":
		err = s.vggface2()
	default:
		err = s.ijb(o.Protocol)
	}
	if err == nil {
		err = s.writeEmbeddings()
	}
	if err != nil {
		return nil, err
	}
	return &s.res, nil
}

// template returns a new template id.
func (s *protocolSet) template() int {
	s.next++
	s.res.Templates = s.next
	return s.next
}

// write writes a file with the lines that fill prints.
func (s *protocolSet) write(name string, fill func(w io.Writer)) error {
	path := filepath.Join(s.o.Out, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	s.res.Files++
	return atomicfile.Write(path, func(w io.Writer) error {
		fill(w)
		return nil // the writer keeps its error
	})
}

// Deviations of the parts of an embedding; that of the subject's own part is 1 a value.
const (
	mediumSpread = 1.0
	faceSpread   = 1.0
	groupSpread  = 0.8 // of pose or age
)

// embed gives a face its vector, once a key. group names what many subjects share, "" for nothing.
func (s *protocolSet) embed(key string, subject, medium int, group string) {
	if s.seen[key] {
		return
	}
	s.seen[key] = true
	s.res.Faces++
	r := rng.Stream(s.o.Seed, "protocol-face", key)
	if r.Bool(s.o.Missing) {
		return
	}
	length := r.Between(5, 15) // embeddings come with lengths of their own
	parts := []struct {
		r      *rng.Rand
		spread float64
	}{
		{rng.Stream(s.o.Seed, "protocol-subject", subject), 1},
		{rng.Stream(s.o.Seed, "protocol-medium", subject, medium), mediumSpread},
		{r, faceSpread},
	}
	if group != "" {
		parts = append(parts, struct {
			r      *rng.Rand
			spread float64
		}{rng.Stream(s.o.Seed, "protocol-group", group), groupSpread})
	}
	v := make([]float64, s.o.Width)
	sum := 0.0
	for i := range v {
		for _, p := range parts {
			v[i] += float64(p.spread * p.r.Norm())
		}
		sum += float64(v[i] * v[i])
	}
	scale := length / math.Sqrt(sum)
	s.keys = append(s.keys, key)
	for _, x := range v {
		s.data = append(s.data, float32(float64(x*scale)))
	}
}

// writeEmbeddings writes embeddings.npy, float32 [N,D] in NumPy's format 1.0, and its keys.
func (s *protocolSet) writeEmbeddings() error {
	s.res.Embeddings = len(s.keys)
	err := s.write("embeddings.keys.txt", func(w io.Writer) {
		for _, k := range s.keys {
			fmt.Fprintln(w, k)
		}
	})
	if err != nil {
		return err
	}
	return s.write("embeddings.npy", func(w io.Writer) {
		head := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }", len(s.keys), s.o.Width)
		head += strings.Repeat(" ", 63-(10+len(head))%64) + "\n"
		b := append([]byte("\x93NUMPY"), 1, 0)
		b = binary.LittleEndian.AppendUint16(b, uint16(len(head)))
		w.Write(append(b, head...))
		buf := make([]byte, 0, 4*s.o.Width)
		for i, x := range s.data {
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(x))
			if (i+1)%s.o.Width == 0 {
				w.Write(buf)
				buf = buf[:0]
			}
		}
	})
}
