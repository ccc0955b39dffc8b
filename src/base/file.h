// Files as the store needs them: whole or not at all. Every write is a temporary file in the same
// folder, fsync, rename, fsync of the folder, so that a crash, a full disk or kill -9 leaves
// either the old file or the new one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "base/result.h"

namespace hearth {

// The whole of a regular file; kTooLarge when it holds more than `bytes_max`.
Result<std::string> read_file(const std::filesystem::path& path, uint64_t bytes_max);

// Replaces or makes `path` atomically and durably. The folder must exist.
Result<void> write_file_atomic(const std::filesystem::path& path, std::span<const std::byte> bytes);
Result<void> write_file_atomic(const std::filesystem::path& path, std::string_view text);

// A file in the making. Bytes go to a temporary file beside `path`; commit() makes them durable
// and puts them in place; destruction without commit() removes them. One thread at a time.
class AtomicFile {
 public:
  static Result<AtomicFile> create(const std::filesystem::path& path);
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&& other) noexcept;
  ~AtomicFile();

  Result<void> write(std::span<const std::byte> bytes);
  uint64_t bytes_written() const { return written_; }

  // Commits to the path given to create(), or to `path` (same folder's file system) when the
  // final name is known only now, such as a digest.
  Result<void> commit();
  Result<void> commit_as(const std::filesystem::path& path);

 private:
  AtomicFile(int fd, std::filesystem::path temporary, std::filesystem::path final_path)
      : fd_(fd), temporary_(std::move(temporary)), final_(std::move(final_path)) {}
  void discard() noexcept;

  int fd_ = -1;
  std::filesystem::path temporary_, final_;
  uint64_t written_ = 0;
};

// mkdir -p with an Error that names the folder.
Result<void> make_folders(const std::filesystem::path& path);

// rename(2), then fsync of the folder of `to`; both on one file system.
Result<void> rename_durable(const std::filesystem::path& from, const std::filesystem::path& to);

// fsync of a folder, so that renames and removals in it survive a power cut.
Result<void> sync_folder(const std::filesystem::path& folder);

// An error for `errno` after a failed call on `path`: "cannot ACTION PATH: reason"; ENOSPC is
// kDiskFull, ENOENT kNotFound, EACCES kDenied.
std::unexpected<Error> fail_errno(std::string_view action, const std::filesystem::path& path);

// An advisory lock on a file (flock), made if it is not there; released by the destructor or by
// the end of the process.
class FileLock {
 public:
  enum class Mode { kShared, kExclusive };
  // Waits up to `wait_ms_max` for the lock; kBusy when somebody else keeps it.
  static Result<FileLock> acquire(const std::filesystem::path& path, Mode mode, int wait_ms_max);
  FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileLock& operator=(FileLock&& other) noexcept;
  ~FileLock();

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_ = -1;
};

}  // namespace hearth
