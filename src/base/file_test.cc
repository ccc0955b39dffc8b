#include "base/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/byte_source.h"
#include "base/sha256.h"

namespace hearth {
namespace fs = std::filesystem;
namespace {

class File : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) /
              ("hearth-file-" + std::to_string(getpid()) + "-" +
               testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  size_t entries() const {
    return static_cast<size_t>(
        std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }
  fs::path folder_;
};

TEST_F(File, WritesWholeAndReplaces) {
  fs::path path = folder_ / "a";
  ASSERT_TRUE(write_file_atomic(path, "one").has_value());
  ASSERT_TRUE(write_file_atomic(path, "two!").has_value());
  EXPECT_EQ(read_file(path, 4).value(), "two!");
  EXPECT_EQ(entries(), 1u) << "no temporary file stays";
  auto large = read_file(path, 3);
  ASSERT_FALSE(large.has_value());
  EXPECT_EQ(large.error().code, Code::kTooLarge);
}

TEST_F(File, UnfinishedLeavesNothing) {
  ASSERT_TRUE(write_file_atomic(folder_ / "a", "old").has_value());
  {
    AtomicFile file = AtomicFile::create(folder_ / "a").value();
    ASSERT_TRUE(file.write(std::as_bytes(std::span("new", 3))).has_value());
    EXPECT_EQ(file.bytes_written(), 3u);
    EXPECT_EQ(entries(), 2u);
    AtomicFile moved = std::move(file);
    EXPECT_EQ(entries(), 2u);
  }
  EXPECT_EQ(entries(), 1u);
  EXPECT_EQ(read_file(folder_ / "a", 10).value(), "old");
}

TEST_F(File, CommitsUnderAnotherName) {
  AtomicFile file = AtomicFile::create(folder_ / "part").value();
  ASSERT_TRUE(file.write(std::as_bytes(std::span("xyz", 3))).has_value());
  ASSERT_TRUE(file.commit_as(folder_ / "final").has_value());
  EXPECT_EQ(read_file(folder_ / "final", 10).value(), "xyz");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(File, FailedCommitLeavesNoTemporary) {
  fs::create_directories(folder_ / "taken/inside");
  AtomicFile file = AtomicFile::create(folder_ / "taken").value();
  EXPECT_FALSE(file.commit().has_value()) << "a file cannot replace a folder";
  EXPECT_EQ(entries(), 1u);
}

TEST_F(File, ErrorsHaveCodes) {
  auto absent = read_file(folder_ / "absent", 10);
  ASSERT_FALSE(absent.has_value());
  EXPECT_EQ(absent.error().code, Code::kNotFound);
  EXPECT_NE(absent.error().message.find("absent"), std::string::npos);
  EXPECT_EQ(read_file(folder_, 10).error().code, Code::kInvalid);
  EXPECT_EQ(open_mapped(folder_.string()).error().code, Code::kInvalid);
  EXPECT_EQ(write_file_atomic(folder_ / "no/such", "x").error().code, Code::kNotFound);
  errno = ENOSPC;
  EXPECT_EQ(fail_errno("write", "f").error().code, Code::kDiskFull);
  errno = EACCES;
  EXPECT_EQ(fail_errno("write", "f").error().code, Code::kDenied);
}

TEST_F(File, AFifoDoesNotHang) {
  fs::path path = folder_ / "fifo";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(read_file(path, 10).error().code, Code::kInvalid);
  EXPECT_EQ(open_mapped(path.string()).error().code, Code::kInvalid);
  EXPECT_FALSE(sha256_file(path).has_value());
}

TEST_F(File, Mapped) {
  ASSERT_TRUE(write_file_atomic(folder_ / "a", "hello").has_value());
  auto source = open_mapped((folder_ / "a").string()).value();
  EXPECT_EQ(source->size(), 5u);
  EXPECT_EQ(source->mapped()[4], std::byte{'o'});
  ASSERT_TRUE(write_file_atomic(folder_ / "empty", "").has_value());
  auto empty = open_mapped((folder_ / "empty").string()).value();
  EXPECT_EQ(empty->size(), 0u);
}

TEST_F(File, FoldersAndRename) {
  ASSERT_TRUE(make_folders(folder_ / "a/b/c").has_value());
  ASSERT_TRUE(make_folders(folder_ / "a/b/c").has_value()) << "twice is fine";
  ASSERT_TRUE(write_file_atomic(folder_ / "f", "x").has_value());
  ASSERT_TRUE(rename_durable(folder_ / "f", folder_ / "a/b/c/g").has_value());
  EXPECT_TRUE(fs::exists(folder_ / "a/b/c/g"));
  EXPECT_FALSE(make_folders(folder_ / "a/b/c/g/h").has_value()) << "below a file";
  EXPECT_EQ(rename_durable(folder_ / "f", folder_ / "h").error().code, Code::kNotFound);
}

TEST_F(File, Locks) {
  fs::path path = folder_ / "lock";
  {
    FileLock shared = FileLock::acquire(path, FileLock::Mode::kShared, 0).value();
    EXPECT_TRUE(FileLock::acquire(path, FileLock::Mode::kShared, 0).has_value());
    auto refused = FileLock::acquire(path, FileLock::Mode::kExclusive, 50);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, Code::kBusy);
    FileLock moved = std::move(shared);
    EXPECT_FALSE(FileLock::acquire(path, FileLock::Mode::kExclusive, 0).has_value());
  }
  EXPECT_TRUE(FileLock::acquire(path, FileLock::Mode::kExclusive, 0).has_value());
}

}  // namespace
}  // namespace hearth
