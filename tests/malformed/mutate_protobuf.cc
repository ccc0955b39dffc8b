#include "mutate_protobuf.h"

#include <string_view>
#include <vector>

#include "random.h"

namespace hearth {
namespace {

struct Field {
  uint64_t tag = 0;      // number << 3 | wire type
  uint64_t number = 0;   // a varint's value
  std::string bytes;     // of the other types
};

void put_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

uint64_t take_varint(std::string_view& in) {
  uint64_t value = 0;
  for (int shift = 0; !in.empty() && shift < 64; shift += 7) {
    auto byte = static_cast<unsigned char>(in.front());
    in.remove_prefix(1);
    value |= uint64_t{byte & 0x7Fu} << shift;
    if (byte < 0x80) break;
  }
  return value;
}

// The fields of a message that is one; the rest of another is left out.
std::vector<Field> read(std::string_view in) {
  std::vector<Field> out;
  while (!in.empty()) {
    Field field{.tag = take_varint(in)};
    uint64_t size = 0;
    switch (field.tag & 7) {
      case 0: field.number = take_varint(in); break;
      case 1: size = 8; break;
      case 2: size = take_varint(in); break;
      case 5: size = 4; break;
      default: return out;
    }
    if (size > in.size()) return out;
    field.bytes = std::string(in.substr(0, size));
    in.remove_prefix(size);
    out.push_back(std::move(field));
  }
  return out;
}

// A length that lies, where `lies` is set.
std::string write(const std::vector<Field>& fields, Random* lies) {
  std::string out;
  for (const Field& field : fields) {
    bool lie = lies != nullptr && lies->below(fields.size()) == 0;
    put_varint(out, field.tag);
    if ((field.tag & 7) == 0) put_varint(out, field.number);
    if ((field.tag & 7) == 2) put_varint(out, lie ? lies->pick(kEdges) : field.bytes.size());
    out += field.bytes;
  }
  return out;
}

std::string bent_bytes(std::string bytes, Random& random, int depth);

void bend(std::vector<Field>& fields, Random& random, int depth) {
  if (fields.empty()) return;
  // The settings come after thousands of pieces: half of all picks are among the last ten.
  size_t count = fields.size(), near = count > 10 && random.below(2) == 0 ? count - 10 : 0;
  size_t at = near + random.below(count - near);
  Field& field = fields[at];
  switch (random.below(8)) {
    case 0: fields.erase(fields.begin() + static_cast<ptrdiff_t>(at)); break;
    case 1: fields.push_back(Field(field)); break;
    case 2: std::swap(field, fields[random.below(count)]); break;
    case 3:
      field.tag = random.below(2) == 0 ? random.pick(kEdges) : field.tag ^ (1u << random.below(7));
      break;
    default:
      if ((field.tag & 7) == 0)
        field.number =
            random.below(2) == 0 ? random.pick(kEdges) : field.number + random.below(5) - 2;
      else
        field.bytes = bent_bytes(std::move(field.bytes), random, depth);
  }
}

std::string bent_bytes(std::string bytes, Random& random, int depth) {
  if (depth > 0 && random.below(4) != 0) {
    std::vector<Field> inner = read(bytes);
    bend(inner, random, depth - 1);
    return write(inner, nullptr);
  }
  if (bytes.empty() || random.below(4) == 0) return bytes + bytes + "a";
  if (random.below(4) == 0) return bytes.substr(0, random.below(bytes.size()));
  bytes[random.below(bytes.size())] = static_cast<char>(random.next());
  return bytes;
}

}  // namespace

std::string mutate_protobuf(const std::string& bytes, uint64_t number) {
  Random random(23, number);
  std::vector<Field> fields = read(bytes);
  uint64_t steps = 1 + random.below(3);
  for (uint64_t i = 0; i < steps; ++i) bend(fields, random, 2);
  std::string out = write(fields, random.below(8) == 0 ? &random : nullptr);
  if (random.below(8) == 0) out.resize(random.below(out.size() + 1));
  if (random.below(8) == 0 && !out.empty())
    out[random.below(out.size())] = static_cast<char>(random.next());
  return out;
}

}  // namespace hearth
