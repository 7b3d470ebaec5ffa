package manifest

import (
	"math"
	"reflect"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/vf2prep/vf2prep/face"
)

// A column is one leaf of the Parquet schema: how a record becomes a value and back.
type column struct {
	name     string
	typ      reflect.Type
	options  string // of the struct tag after the name
	required bool   // can't be null
	kind     format.Type
	dict     bool
	unsigned bool
	repeated bool // a list
	put      func(k *chunk, r *Record, name string)
	get      func(r *Record, v parquet.Value, in *interner)
}

const (
	problemsColumn = "problems"
	attrPrefix     = "attr_"
)

var (
	stringType = reflect.TypeFor[string]()
	int32Type  = reflect.TypeFor[int32]()
	int64Type  = reflect.TypeFor[int64]()
	uint64Type = reflect.TypeFor[uint64]()
	floatType  = reflect.TypeFor[float32]()
	boolType   = reflect.TypeFor[bool]()
)

// columns lists the schema in the order of the file; problems, a list, comes last and is handled
// apart. docs/manifest-format.md is its twin.
func columns(attributes []string) []column {
	cols := []column{
		newColumn("name_id", stringType, ",plain",
			func(k *chunk, r *Record, _ string) { k.nameID(r.ID) },
			nil),
		newColumn("identity", stringType, ",dict",
			func(k *chunk, r *Record, _ string) { k.text(r.ID.Identity) },
			func(r *Record, v parquet.Value, in *interner) { r.ID.Identity = in.text(v) }),
		newColumn("name", stringType, ",optional,dict",
			func(k *chunk, _ *Record, name string) { k.optional(name) },
			nil),
		newColumn("image", int32Type, "",
			func(k *chunk, r *Record, _ string) { k.int32(r.ID.Image) },
			func(r *Record, v parquet.Value, _ *interner) { r.ID.Image = v.Int32() }),
		newColumn("face", int32Type, "",
			func(k *chunk, r *Record, _ string) { k.int32(r.ID.Face) },
			func(r *Record, v parquet.Value, _ *interner) { r.ID.Face = v.Int32() }),
		newColumn("subset", stringType, ",dict",
			func(k *chunk, r *Record, _ string) { k.text(string(r.Subset)) },
			func(r *Record, v parquet.Value, in *interner) { r.Subset = Subset(in.text(v)) }),
		newColumn("path", stringType, ",plain",
			func(k *chunk, r *Record, _ string) { k.text(r.Path) },
			func(r *Record, v parquet.Value, _ *interner) { r.Path = string(v.ByteArray()) }),
		newColumn("bytes", int64Type, ",optional",
			func(k *chunk, r *Record, _ string) {
				if r.Bytes == 0 && !r.Has(ZeroByte) {
					k.null()
					return
				}
				k.uint64(uint64(r.Bytes))
			},
			func(r *Record, v parquet.Value, _ *interner) { r.Bytes = v.Int64() }),
		intColumn("width", func(r *Record) *int32 { return &r.Width }),
		intColumn("height", func(r *Record) *int32 { return &r.Height }),
		newColumn("components", int32Type, ",optional,dict",
			func(k *chunk, r *Record, _ string) {
				if r.Components == 0 {
					k.null()
					return
				}
				k.text(int32Words[uint8(r.Components)])
			},
			func(r *Record, v parquet.Value, _ *interner) { r.Components = int8(v.Int32()) }),
		newColumn("format", stringType, ",optional,dict",
			func(k *chunk, r *Record, _ string) { k.optional(r.Format) },
			func(r *Record, v parquet.Value, in *interner) { r.Format = in.text(v) }),
		newColumn("xxh3", uint64Type, ",optional",
			func(k *chunk, r *Record, _ string) {
				if r.XXH3 == 0 {
					k.null()
					return
				}
				k.uint64(r.XXH3)
			},
			func(r *Record, v parquet.Value, _ *interner) { r.XXH3 = v.Uint64() }),
		boxColumn("box_x", func(b *face.Box) *float64 { return &b.X }),
		boxColumn("box_y", func(b *face.Box) *float64 { return &b.Y }),
		boxColumn("box_w", func(b *face.Box) *float64 { return &b.W }),
		boxColumn("box_h", func(b *face.Box) *float64 { return &b.H }),
	}
	for i, digit := range []string{"1", "2", "3", "4", "5"} {
		cols = append(cols,
			landmarkColumn("lx"+digit, func(l *face.Landmarks) *float64 { return &l[i].X }),
			landmarkColumn("ly"+digit, func(l *face.Landmarks) *float64 { return &l[i].Y }))
	}
	cols = append(cols,
		newColumn("gender", stringType, ",optional,dict",
			func(k *chunk, r *Record, _ string) { k.optional(r.Gender.String()) },
			func(r *Record, v parquet.Value, _ *interner) { r.Gender = parseGender(v.ByteArray()) }),
		newColumn("age", floatType, ",optional",
			func(k *chunk, r *Record, _ string) {
				if r.Age != r.Age {
					k.null()
					return
				}
				k.float(r.Age)
			},
			func(r *Record, v parquet.Value, _ *interner) { r.Age = v.Float() }),
		newColumn("age_source", stringType, ",optional,dict",
			func(k *chunk, r *Record, _ string) { k.optional(r.AgeSource) },
			func(r *Record, v parquet.Value, in *interner) { r.AgeSource = in.text(v) }),
	)
	for i, name := range attributes {
		cols = append(cols, newColumn(attrPrefix+name, boolType, ",optional",
			func(k *chunk, r *Record, _ string) {
				if r.Attributes.known>>i&1 == 0 {
					k.null()
					return
				}
				k.bool(r.Attributes.yes>>i&1 == 1)
			},
			func(r *Record, v parquet.Value, _ *interner) {
				r.Attributes.known |= 1 << i
				if v.Boolean() {
					r.Attributes.yes |= 1 << i
				}
			}))
	}
	return cols
}

// int32Words are the plain values of 0 to 255.
var int32Words = func() (w [256]string) {
	for i := range w {
		w[i] = string([]byte{byte(i), 0, 0, 0})
	}
	return w
}()

// problemsList is the last column.
func problemsList() column {
	c := newColumn(problemsColumn, stringType, ",dict", func(k *chunk, r *Record, _ string) { k.list(r.Problems) }, nil)
	c.required, c.repeated = false, true
	return c
}

var kinds = map[reflect.Type]format.Type{
	stringType: format.ByteArray, int32Type: format.Int32, int64Type: format.Int64, uint64Type: format.Int64,
	floatType: format.Float, boolType: format.Boolean,
}

func newColumn(name string, typ reflect.Type, options string, put func(*chunk, *Record, string), get func(*Record, parquet.Value, *interner)) column {
	return column{
		name: name, typ: typ, options: options, put: put, get: get,
		required: !strings.Contains(options, ",optional"),
		kind:     kinds[typ],
		dict:     strings.Contains(options, ",dict"),
		unsigned: typ == uint64Type,
	}
}

// intColumn is a number whose 0 means unknown.
func intColumn(name string, field func(*Record) *int32) column {
	return newColumn(name, int32Type, ",optional",
		func(k *chunk, r *Record, _ string) {
			if *field(r) == 0 {
				k.null()
				return
			}
			k.int32(*field(r))
		},
		func(r *Record, v parquet.Value, _ *interner) { *field(r) = v.Int32() })
}

func boxColumn(name string, field func(*face.Box) *float64) column {
	return newColumn(name, floatType, ",optional",
		func(k *chunk, r *Record, _ string) {
			if !r.HasBox {
				k.null()
				return
			}
			k.float(float32(*field(&r.Box)))
		},
		func(r *Record, v parquet.Value, _ *interner) {
			r.HasBox = true
			*field(&r.Box) = float64(v.Float())
		})
}

func landmarkColumn(name string, field func(*face.Landmarks) *float64) column {
	return newColumn(name, floatType, ",optional",
		func(k *chunk, r *Record, _ string) {
			if !r.HasLandmarks {
				k.null()
				return
			}
			k.float(float32(*field(&r.Landmarks)))
		},
		func(r *Record, v parquet.Value, _ *interner) {
			r.HasLandmarks = true
			*field(&r.Landmarks) = float64(v.Float())
		})
}

// path is the column's place in the schema.
func (c *column) path() []string {
	if c.repeated {
		return []string{c.name, "list", "element"}
	}
	return []string{c.name}
}

// elements are the column's nodes in the schema, for the footer.
func (c *column) elements() []format.SchemaElement {
	e := format.SchemaElement{Name: c.name, Type: thrift.New(c.kind), RepetitionType: thrift.New(format.Required)}
	integer := func(width int8, signed bool, old deprecated.ConvertedType) {
		e.LogicalType.Value = &format.IntType{BitWidth: width, IsSigned: signed}
		e.ConvertedType = thrift.New(old)
	}
	switch {
	case c.kind == format.ByteArray:
		e.LogicalType.Value = &format.StringType{}
		e.ConvertedType = thrift.New(deprecated.UTF8)
	case c.kind == format.Int32:
		integer(32, true, deprecated.Int32)
	case c.unsigned:
		integer(64, false, deprecated.Uint64)
	case c.kind == format.Int64:
		integer(64, true, deprecated.Int64)
	}
	if c.repeated {
		e.Name = "element"
		return []format.SchemaElement{
			{
				Name: c.name, RepetitionType: thrift.New(format.Required), NumChildren: thrift.New(int32(1)),
				LogicalType: format.LogicalType{Value: &format.ListType{}}, ConvertedType: thrift.New(deprecated.List),
			},
			{Name: "list", RepetitionType: thrift.New(format.Repeated), NumChildren: thrift.New(int32(1))},
			e,
		}
	}
	if !c.required {
		e.RepetitionType = thrift.New(format.Optional)
	}
	return []format.SchemaElement{e}
}

// schema builds the Parquet schema. A struct type made at run time keeps the columns' order,
// which parquet.Group would sort.
func schema(cols []column) *parquet.Schema {
	fields := make([]reflect.StructField, 0, len(cols)+1)
	for i, c := range cols {
		fields = append(fields, reflect.StructField{
			Name: "F" + string(rune('A'+i/26)) + string(rune('A'+i%26)),
			Type: c.typ,
			Tag:  reflect.StructTag(`parquet:"` + c.name + c.options + `"`),
		})
	}
	fields = append(fields, reflect.StructField{
		Name: "Problems",
		Type: reflect.TypeFor[[]string](),
		Tag:  `parquet:"problems,list" parquet-element:",dict"`,
	})
	return parquet.NewSchema("image", parquet.SchemaOf(reflect.New(reflect.StructOf(fields)).Interface()))
}

// interner keeps one copy of strings that repeat, such as identities.
type interner struct {
	known map[string]string
	last  string
}

// maxInterned bounds the interner against a file whose values never repeat.
const maxInterned = 1 << 20

func (in *interner) text(v parquet.Value) string {
	b := v.ByteArray()
	if string(b) == in.last {
		return in.last
	}
	s, ok := in.known[string(b)]
	if !ok {
		s = string(b)
		if len(in.known) < maxInterned {
			in.known[s] = s
		}
	}
	in.last = s
	return s
}

func unknownAge() float32 { return float32(math.NaN()) }

func parseGender(b []byte) Gender {
	switch string(b) {
	case "m", "M", "male", "Male", "MALE":
		return Male
	case "f", "F", "female", "Female", "FEMALE":
		return Female
	}
	return GenderUnknown
}
