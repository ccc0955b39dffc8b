#include "base/memory.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <string>

namespace hearth {
namespace fs = std::filesystem;
namespace {

constexpr uint64_t kMiB = 1 << 20;

// A root with the files that a kernel would show.
class Memory : public testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(testing::TempDir()) /
            ("hearth-memory-" + std::to_string(getpid()) + "-" +
             testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(root_);
    put("proc/meminfo", "MemTotal:       16384000 kB\nMemFree:          102400 kB\n"
                        "MemAvailable:    8192000 kB\nBuffers:               0 kB\n");
    put("proc/self/status", "Name:\thearth\nVmRSS:\t   20480 kB\nRssAnon:\t   10240 kB\n");
  }
  void TearDown() override { fs::remove_all(root_); }
  void put(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  void group(const std::string& folder, const std::string& limit, uint64_t usage, uint64_t file,
             uint64_t shmem = 0) {
    put(folder + "/memory.max", limit + "\n");
    put(folder + "/memory.current", std::to_string(usage) + "\n");
    put(folder + "/memory.stat", "anon 1\nfile " + std::to_string(file) +
                                     "\nfile_mapped 7\nshmem " + std::to_string(shmem) + "\n");
  }
  uint64_t mib() const { return memory_for_us(root_).value() / kMiB; }
  fs::path root_;
};

TEST_F(Memory, FreeAndOwn) { EXPECT_EQ(mib(), 8000u + 10u); }

TEST_F(Memory, OldSystemsSayOnlyFree) {
  put("proc/meminfo", "MemTotal: 16384000 kB\nMemFree: 102400 kB\n");
  EXPECT_EQ(mib(), 100u + 10u);
}

TEST_F(Memory, AnErrorWhereNothingIsSaid) {
  put("proc/meminfo", "MemTotal: 16384000 kB\nMemAvailable: lots\n");
  EXPECT_EQ(memory_for_us(root_).error().code, Code::kUnsupported);
  put("proc/meminfo", "MemAvailable: 18446744073709551615 kB\n");
  EXPECT_EQ(memory_for_us(root_).error().code, Code::kUnsupported) << "no product that wraps";
  fs::remove_all(root_);
  EXPECT_EQ(memory_for_us(root_).error().code, Code::kNotFound);
}

TEST_F(Memory, GroupsOfVersion2) {
  put("proc/self/cgroup", "0::/user/hearth\n");
  group("sys/fs/cgroup/user/hearth", "max", 5 * kMiB, 0);
  EXPECT_EQ(mib(), 8010u) << "no limit";
  group("sys/fs/cgroup/user/hearth", std::to_string(1000 * kMiB), 400 * kMiB, 300 * kMiB);
  EXPECT_EQ(mib(), 900u + 10u) << "cached files are free";
  group("sys/fs/cgroup/user/hearth", std::to_string(1000 * kMiB), 400 * kMiB, 300 * kMiB,
        200 * kMiB);
  EXPECT_EQ(mib(), 700u + 10u) << "but not those that live in memory";
  group("sys/fs/cgroup/user", std::to_string(600 * kMiB), 500 * kMiB, 0);
  EXPECT_EQ(mib(), 100u + 10u) << "the group around it is tighter";
  group("sys/fs/cgroup/user", std::to_string(600 * kMiB), 700 * kMiB, 0);
  EXPECT_EQ(mib(), 10u) << "over the limit nothing is free";
}

TEST_F(Memory, GroupsOfVersion1) {
  put("proc/self/cgroup", "5:cpu,cpuacct:/a\n4:memory:/docker/abc\n0::/\n");
  const std::string folder = "sys/fs/cgroup/memory";  // all that the container sees
  put(folder + "/memory.limit_in_bytes", "9223372036854771712\n");
  put(folder + "/memory.usage_in_bytes", std::to_string(90 * kMiB));
  EXPECT_EQ(mib(), 8010u) << "no limit";
  put(folder + "/memory.limit_in_bytes", std::to_string(500 * kMiB));
  put(folder + "/memory.stat", "cache 1\ntotal_cache " + std::to_string(40 * kMiB) +
                                   "\ntotal_shmem 0\n");
  EXPECT_EQ(mib(), 450u + 10u);
}

TEST_F(Memory, StrangeGroupFilesAreNoLimit) {
  put("proc/self/cgroup", "rubbish\n0::/../../x\n0:\n\n7:memory:\n");
  group("sys/fs/cgroup", "", 5, 5);
  group("x", std::to_string(kMiB), 5, 5);
  put("sys/fs/cgroup/memory/memory.limit_in_bytes", "-1\n");
  EXPECT_EQ(mib(), 8010u);
}

TEST(MemoryHere, IsPlausible) {
  const uint64_t bytes = memory_for_us().value();
  EXPECT_GT(bytes, 16 * kMiB);
  EXPECT_LT(bytes, uint64_t{1} << 50);
}

}  // namespace
}  // namespace hearth
