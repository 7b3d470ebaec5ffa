package export

import (
	"encoding/json"
	"strconv"
)

// appendMeta appends what is known of a sample but its pixels, as one JSON object; what is unknown is
// null.
func appendMeta(b []byte, s *Sample) []byte {
	b = append(b, `{"key":`...)
	b = appendString(b, s.Key)
	b = append(b, `,"part":`...)
	b = appendString(b, s.Part)
	b = append(b, `,"identity":`...)
	b = appendString(b, s.Identity)
	b = append(b, `,"label":`...)
	b = strconv.AppendInt(b, int64(s.Label), 10)
	b = append(b, `,"age":`...)
	b = appendFloat(b, s.Age)
	b = append(b, `,"gender":`...)
	if s.Gender < 0 {
		b = append(b, "null"...)
	} else {
		b = strconv.AppendInt(b, int64(s.Gender), 10)
	}
	b = append(b, `,"landmarks":`...)
	if s.HasLandmarks() {
		for i, p := range s.Landmarks {
			b = append(b, "[,"[min(i, 1)])
			b = append(b, '[')
			b = appendFloat(b, p[0])
			b = append(b, ',')
			b = appendFloat(b, p[1])
			b = append(b, ']')
		}
		b = append(b, ']')
	} else {
		b = append(b, "null"...)
	}
	if s.Box != nil {
		b = append(b, `,"box":`...)
		for i, v := range s.Box {
			b = append(b, "[,"[min(i, 1)])
			b = appendFloat(b, v)
		}
		b = append(b, ']')
	}
	b = append(b, `,"width":`...)
	b = strconv.AppendInt(b, int64(s.Width), 10)
	b = append(b, `,"height":`...)
	b = strconv.AppendInt(b, int64(s.Height), 10)
	return append(b, '}')
}

// appendFloat appends the shortest decimal that reads as v, or null.
func appendFloat(b []byte, v float32) []byte {
	if v-v != 0 { // NaN or infinite
		return append(b, "null"...)
	}
	return strconv.AppendFloat(b, float64(v), 'f', -1, 32)
}

func appendString(b []byte, s string) []byte {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string
	}
	return append(b, text...)
}
