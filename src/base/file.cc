#include "base/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

namespace hearth {
namespace fs = std::filesystem;
namespace {

Code code_of(int error) {
  switch (error) {
    case ENOENT: case ENOTDIR: return Code::kNotFound;
    case EACCES: case EPERM: case EROFS: return Code::kDenied;
    case ENOSPC: case EDQUOT: return Code::kDiskFull;
    case EEXIST: return Code::kExists;
    case ENOMEM: return Code::kOutOfMemory;
    default: return Code::kIo;
  }
}

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() { if (fd_ >= 0) close(fd_); }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

std::unexpected<Error> fail_errno(std::string_view action, const fs::path& path) {
  int error = errno;
  return std::unexpected(Error{
      code_of(error), fmt::format("cannot {} {}: {}", action, path.string(), strerror(error))});
}

Result<std::string> read_file(const fs::path& path, uint64_t bytes_max) {
  Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) return fail_errno("open", path);
  struct stat st;
  if (fstat(fd.get(), &st) != 0) return fail_errno("stat", path);
  if (!S_ISREG(st.st_mode))
    return fail(Code::kInvalid, "{} is not a regular file", path.string());
  std::string out;
  char chunk[1 << 16];
  while (true) {
    ssize_t got = read(fd.get(), chunk, sizeof chunk);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read", path);
    if (got == 0) return out;
    if (out.size() + static_cast<size_t>(got) > bytes_max)
      return fail(Code::kTooLarge, "{} is larger than {} bytes", path.string(), bytes_max);
    out.append(chunk, static_cast<size_t>(got));
  }
}

Result<void> write_file_atomic(const fs::path& path, std::span<const std::byte> bytes) {
  AtomicFile file = TRY(AtomicFile::create(path));
  TRY(file.write(bytes));
  return file.commit();
}

Result<void> write_file_atomic(const fs::path& path, std::string_view text) {
  return write_file_atomic(path, std::as_bytes(std::span(text)));
}

Result<AtomicFile> AtomicFile::create(const fs::path& path) {
  static std::atomic<uint64_t> counter{0};
  fs::path temporary = path;
  temporary += fmt::format(".tmp-{}-{}", getpid(), counter.fetch_add(1));
  int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0) return fail_errno("create", temporary);
  return AtomicFile(fd, std::move(temporary), path);
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      temporary_(std::move(other.temporary_)),
      final_(std::move(other.final_)),
      written_(other.written_) {}

AtomicFile& AtomicFile::operator=(AtomicFile&& other) noexcept {
  if (this != &other) {
    discard();
    fd_ = std::exchange(other.fd_, -1);
    temporary_ = std::move(other.temporary_);
    final_ = std::move(other.final_);
    written_ = other.written_;
  }
  return *this;
}

AtomicFile::~AtomicFile() { discard(); }

void AtomicFile::discard() noexcept {
  if (fd_ < 0) return;
  close(std::exchange(fd_, -1));
  unlink(temporary_.c_str());
}

Result<void> AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    ssize_t put = ::write(fd_, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail_errno("write", temporary_);
    written_ += static_cast<uint64_t>(put);
    bytes = bytes.subspan(static_cast<size_t>(put));
  }
  return {};
}

Result<void> AtomicFile::commit() { return commit_as(final_); }

Result<void> AtomicFile::commit_as(const fs::path& path) {
  if (fsync(fd_) != 0) return fail_errno("sync", temporary_);
  close(std::exchange(fd_, -1));
  if (rename(temporary_.c_str(), path.c_str()) != 0) {
    auto error = fail_errno("put in place", path);
    unlink(temporary_.c_str());
    return error;
  }
  return sync_folder(path.parent_path());
}

Result<void> make_folders(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) {
    errno = error.value();
    return fail_errno("make the folder", path);
  }
  return {};
}

Result<void> rename_durable(const fs::path& from, const fs::path& to) {
  if (rename(from.c_str(), to.c_str()) != 0) return fail_errno("put in place", to);
  return sync_folder(to.parent_path());
}

Result<void> sync_folder(const fs::path& folder) {
  Fd fd(open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0) return fail_errno("open", folder);
  if (fsync(fd.get()) != 0) return fail_errno("sync", folder);
  return {};
}

Result<FileLock> FileLock::acquire(const fs::path& path, Mode mode, int wait_ms_max) {
  int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return fail_errno("open the lock", path);
  FileLock lock(fd);
  int operation = (mode == Mode::kShared ? LOCK_SH : LOCK_EX) | LOCK_NB;
  for (int waited = 0;; waited += 20) {
    if (flock(fd, operation) == 0) return lock;
    if (errno != EWOULDBLOCK && errno != EINTR) return fail_errno("lock", path);
    if (waited >= wait_ms_max)
      return fail(Code::kBusy, "{} is held by another process; try again when it is done",
                  path.string());
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) close(fd_);
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

FileLock::~FileLock() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace hearth
