#include "support/npz.h"

#include <charconv>
#include <cstring>

#include "base/check.h"
#include "base/file.h"

namespace hearth::test {
namespace {

template <class T>
std::vector<T> values(const NpyArray& array, std::string_view dtype) {
  CHECK(array.dtype == dtype);
  std::vector<T> out(array.data.size() / sizeof(T));
  std::memcpy(out.data(), array.data.data(), out.size() * sizeof(T));
  return out;
}

std::string quoted_after(std::string_view header, std::string_view key) {
  size_t at = header.find('\'', header.find(':', header.find(key)));
  return std::string(header.substr(at + 1, header.find('\'', at + 1) - at - 1));
}

uint32_t u32(std::string_view bytes, size_t at) {
  uint32_t value;
  std::memcpy(&value, bytes.data() + at, 4);
  return value;
}

uint16_t u16(std::string_view bytes, size_t at) {
  uint16_t value;
  std::memcpy(&value, bytes.data() + at, 2);
  return value;
}

}  // namespace

std::vector<float> NpyArray::floats() const { return values<float>(*this, "<f4"); }
std::vector<int64_t> NpyArray::ints() const { return values<int64_t>(*this, "<i8"); }

Result<NpyArray> parse_npy(std::string_view bytes) {
  if (!bytes.starts_with("\x93NUMPY")) return fail(Code::kCorrupt, "no .npy");
  bool v1 = bytes[6] == 1;
  size_t length = v1 ? u16(bytes, 8) : u32(bytes, 8);
  size_t begin = v1 ? 10 : 12;
  std::string_view header = bytes.substr(begin, length);
  NpyArray out;
  out.dtype = quoted_after(header, "descr");
  size_t open = header.find('(', header.find("shape")), close = header.find(')', open);
  const char *at = header.data() + open + 1, *end = header.data() + close;
  while (at < end) {
    int64_t dim = 0;
    auto [next, error] = std::from_chars(at, end, dim);
    if (error == std::errc()) out.shape.push_back(dim);
    at = next == at ? at + 1 : next;
  }
  auto raw = std::as_bytes(std::span(bytes.substr(begin + length)));
  out.data.assign(raw.begin(), raw.end());
  return out;
}

Result<std::map<std::string, NpyArray>> read_npz(const std::string& path) {
  std::string file = TRY(read_file(path, 64u << 20));
  std::map<std::string, NpyArray> out;
  // The central directory, from its end record at the end of the file.
  size_t record = file.rfind("PK\x05\x06");
  if (record == std::string::npos) return fail(Code::kCorrupt, "{}: no zip", path);
  size_t entry = u32(file, record + 16);
  for (int i = 0; i < u16(file, record + 10); ++i) {
    CHECK(u16(file, entry + 10) == 0);  // stored
    size_t size = u32(file, entry + 24), local = u32(file, entry + 42);
    std::string name = file.substr(entry + 46, u16(file, entry + 28));
    size_t data = local + 30 + u16(file, local + 26) + u16(file, local + 28);
    name = name.substr(0, name.find(".npy"));
    out[name] = TRY(parse_npy(std::string_view(file).substr(data, size)));
    entry += 46u + u16(file, entry + 28) + u16(file, entry + 30) + u16(file, entry + 32);
  }
  return out;
}

}  // namespace hearth::test
