#include "registry/partial_blob.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/json.h"
#include "base/out_of_memory.h"
#include "base/sha256.h"

namespace hearth {
namespace fs = std::filesystem;
namespace {

constexpr uint64_t kJournalBytesMax = 4096;

}  // namespace

PartialBlob::PartialBlob(const Store& store, const Digest& digest, uint64_t size, uint32_t parts)
    : digest_(digest), blob_(store.blob_path(digest)), partial_(blob_), journal_(blob_),
      size_(size), parts_(parts) {
  partial_ += "-partial";
  journal_ += "-partial.json";
}

PartialBlob::PartialBlob(PartialBlob&& other) noexcept
    : digest_(std::move(other.digest_)), blob_(std::move(other.blob_)),
      partial_(std::move(other.partial_)), journal_(std::move(other.journal_)),
      size_(other.size_), parts_(other.parts_), parts_done_(other.parts_done_),
      bytes_done_(other.bytes_done_), bytes_written_(other.bytes_written_),
      complete_(other.complete_), lock_(std::move(other.lock_)),
      fd_(std::exchange(other.fd_, -1)) {}

PartialBlob::~PartialBlob() {
  if (fd_ >= 0) close(fd_);
}

Result<PartialBlob> PartialBlob::open(const Store& store, const Digest& digest, uint64_t size,
                                      uint32_t parts) {
  return catching_bad_alloc([&] { return open_parts(store, digest, size, parts); });
}

Result<PartialBlob> PartialBlob::open_parts(const Store& store, const Digest& digest,
                                            uint64_t size, uint32_t parts) {
  PartialBlob out(store, digest, size, parts);
  if (parts == 0) return fail(Code::kInvalid, "a blob has at least one part");
  if (store.has_blob(digest)) {
    out.complete_ = true;
    return out;
  }
  out.lock_ = TRY(FileLock::acquire(out.partial_, FileLock::Mode::kExclusive, 0));
  if (store.has_blob(digest)) {  // somebody finished it while we asked for the lock
    unlink(out.partial_.c_str());
    out.complete_ = true;
    return out;
  }
  out.fd_ = ::open(out.partial_.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (out.fd_ < 0) return fail_errno("open", out.partial_);
  TRY(out.read_journal());
  if (ftruncate(out.fd_, static_cast<off_t>(out.bytes_done_)) != 0)
    return fail_errno("cut", out.partial_);
  if (lseek(out.fd_, static_cast<off_t>(out.bytes_done_), SEEK_SET) < 0)
    return fail_errno("seek in", out.partial_);
  out.bytes_written_ = out.bytes_done_;
  return out;
}

// Believes the journal only where it fits the file and the caller's numbers.
Result<void> PartialBlob::read_journal() {
  auto text = read_file(journal_, kJournalBytesMax);
  if (!text) return {};
  auto json = Json::parse(*text);
  if (!json && json.error().code == Code::kOutOfMemory) return out_of_memory();
  if (!json) return {};
  int64_t size = json->get_int("size", -1).value_or(-1);
  int64_t parts = json->get_int("parts", -1).value_or(-1);
  int64_t done = json->get_int("done", -1).value_or(-1);
  int64_t bytes = json->get_int("bytes", -1).value_or(-1);
  struct stat st;
  if (fstat(fd_, &st) != 0) return fail_errno("stat", partial_);
  bool fits = size == static_cast<int64_t>(size_) && parts == parts_ && done >= 0 &&
              done <= parts && bytes >= 0 && bytes <= size && bytes <= st.st_size;
  if (!fits) return {};
  parts_done_ = static_cast<uint32_t>(done);
  bytes_done_ = static_cast<uint64_t>(bytes);
  return {};
}

Result<void> PartialBlob::write_journal() const {
  Json json;
  json.set("size", size_);
  json.set("parts", parts_);
  json.set("done", parts_done_);
  json.set("bytes", bytes_done_);
  return write_file_atomic(journal_, json.dump());
}

Result<void> PartialBlob::append(std::span<const std::byte> bytes) {
  if (all_parts()) return fail(Code::kInvalid, "all {} parts are there already", parts_);
  if (bytes.size() > size_ - bytes_written_)
    return fail(Code::kTooLarge, "part {} reaches beyond the {} bytes of the whole", next_part(),
                size_);
  while (!bytes.empty()) {
    ssize_t put = write(fd_, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail_errno("write", partial_);
    bytes_written_ += static_cast<uint64_t>(put);
    bytes = bytes.subspan(static_cast<size_t>(put));
  }
  return {};
}

Result<void> PartialBlob::end_part() {
  if (all_parts()) return fail(Code::kInvalid, "all {} parts are there already", parts_);
  if (parts_done_ + 1 == parts_ && bytes_written_ != size_)
    return fail(Code::kCorrupt, "the parts have {} bytes together, not {}", bytes_written_, size_);
  if (fsync(fd_) != 0) return fail_errno("sync", partial_);
  ++parts_done_;
  bytes_done_ = bytes_written_;
  return write_journal();
}

Result<void> PartialBlob::complete() {
  if (complete_) return {};
  if (!all_parts())
    return fail(Code::kInvalid, "part {} of {} is missing", next_part(), parts_);
  std::string hex = TRY(sha256_file(partial_));
  if (hex != digest_.hex()) {
    TRY(drop());
    return fail(Code::kCorrupt,
                "the parts have the digest {}, not {}; they are dropped, fetch them again", hex,
                digest_.hex());
  }
  TRY(rename_durable(partial_, blob_));
  unlink(journal_.c_str());
  complete_ = true;
  return {};
}

Result<void> PartialBlob::drop() {
  parts_done_ = 0;
  bytes_done_ = bytes_written_ = 0;
  unlink(journal_.c_str());
  if (unlink(partial_.c_str()) != 0 && errno != ENOENT) return fail_errno("remove", partial_);
  return {};
}

}  // namespace hearth
