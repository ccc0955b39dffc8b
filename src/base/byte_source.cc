#include "base/byte_source.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "base/file.h"

namespace hearth {
namespace {

std::unexpected<Error> beyond_end(const ByteSource& source, uint64_t offset, uint64_t count) {
  return fail(Code::kCorrupt, "{}: {} bytes at offset {} reach beyond the end ({} bytes)",
              source.name(), count, offset, source.size());
}

// Both kinds hold their bytes in memory; they differ in who frees them.
class SpanSource : public ByteSource {
 public:
  explicit SpanSource(std::string name) : name_(std::move(name)) {}
  const std::string& name() const override { return name_; }
  uint64_t size() const override { return bytes_.size(); }
  std::span<const std::byte> mapped() const override { return bytes_; }
  Result<void> read_at(uint64_t offset, std::span<std::byte> out) const override {
    if (offset > bytes_.size() || out.size() > bytes_.size() - offset)
      return beyond_end(*this, offset, out.size());
    if (!out.empty()) std::memcpy(out.data(), bytes_.data() + offset, out.size());
    return {};
  }

 protected:
  std::span<const std::byte> bytes_;

 private:
  std::string name_;
};

class MappedFile final : public SpanSource {
 public:
  MappedFile(std::string name, void* base, size_t size) : SpanSource(std::move(name)) {
    bytes_ = {static_cast<const std::byte*>(base), size};
  }
  ~MappedFile() override {
    if (!bytes_.empty()) munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  }
};

class MemorySource final : public SpanSource {
 public:
  MemorySource(std::vector<std::byte> bytes, std::string name)
      : SpanSource(std::move(name)), owned_(std::move(bytes)) {
    bytes_ = owned_;
  }

 private:
  std::vector<std::byte> owned_;
};

}  // namespace

Result<std::shared_ptr<const ByteSource>> open_mapped(const std::string& path) {
  // O_NONBLOCK: opening a FIFO by mistake must not hang.
  int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return fail_errno("open", path);
  struct stat st;
  if (fstat(fd, &st) != 0) {
    auto error = fail_errno("stat", path);
    close(fd);
    return error;
  }
  if (!S_ISREG(st.st_mode)) {
    close(fd);
    return fail(Code::kInvalid, "{} is not a regular file", path);
  }
  size_t size = static_cast<size_t>(st.st_size);
  void* base = size == 0 ? nullptr : mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  auto error = fail_errno("map", path);
  close(fd);
  if (base == MAP_FAILED) return error;
  return std::make_shared<const MappedFile>(path, base, size);
}

std::shared_ptr<const ByteSource> memory_source(std::vector<std::byte> bytes, std::string name) {
  return std::make_shared<const MemorySource>(std::move(bytes), std::move(name));
}

}  // namespace hearth
