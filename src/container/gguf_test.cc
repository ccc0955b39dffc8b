#include "container/gguf.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "base/file.h"
#include "container/gguf_layout.h"
#include "container/raw_gguf.h"

namespace hearth {
namespace {

constexpr uint32_t kF32 = 0, kQ8_0 = 8;

// The message of the refusal, or "" when the file opens.
std::string refusal(const RawGguf& raw, Code code = Code::kCorrupt) {
  auto file = TensorFile::open_gguf(source_of(raw.bytes));
  if (file) return "";
  EXPECT_EQ(file.error().code, code) << file.error().message;
  return file.error().message;
}

TEST(Gguf, SmallestFiles) {
  for (uint32_t version : {2u, 3u}) {
    auto file = TensorFile::open_gguf(source_of(RawGguf(0, 0, version).bytes));
    ASSERT_TRUE(file.has_value()) << file.error().message;
    EXPECT_EQ(file->kind(), ContainerKind::kGguf);
    EXPECT_TRUE(file->tensors().empty());
    EXPECT_TRUE(file->metadata().pairs().empty());
    EXPECT_EQ(file->file_bytes(), 24u);
  }
}

TEST(Gguf, TensorsAndCopies) {
  RawGguf raw(2, 1, 2);
  raw.key("general.alignment", MetaType::kU32).put<uint32_t>(8);
  raw.tensor("a", {2, 3}, kF32, 0).tensor("b", {32}, kQ8_0, 24).data(24 + 34, 8);
  auto opened = TensorFile::open_gguf(source_of(raw.bytes));
  ASSERT_TRUE(opened.has_value()) << opened.error().message;
  TensorFile copy;
  {
    TensorFile file = std::move(*opened);
    copy = file;
  }
  const TensorInfo* a = copy.find("a");
  ASSERT_NE(a, nullptr);
  EXPECT_EQ(a->shape, (std::vector<uint64_t>{3, 2})) << "outermost first";
  EXPECT_EQ(a->shape_text(), "[3, 2]");
  EXPECT_EQ(a->row_elems(), 2u);
  EXPECT_EQ(copy.data(*a).size(), 24u);
  EXPECT_EQ(copy.data(*copy.find("b")).back(), std::byte{0x11});
  EXPECT_EQ(copy.find("c"), nullptr);
}

TEST(Gguf, Magic) {
  auto error = [](std::string_view text) {
    return TensorFile::open_gguf(source_of(text)).error().message;
  };
  EXPECT_EQ(error(""), "m.gguf: magic at offset 0: the file is empty");
  EXPECT_EQ(error("GGU"), "m.gguf: magic at offset 0: needs 4 bytes, 3 are left");
  EXPECT_NE(error("tjgg1234").find("before GGUF"), std::string::npos);
  EXPECT_NE(error("version https://git-lfs").find("Git LFS pointer"), std::string::npos);
  EXPECT_EQ(error("PK\x03\x04"), "m.gguf: magic at offset 0: 'PK\\x03\\x04' is not 'GGUF'");
}

TEST(Gguf, Versions) {
  EXPECT_EQ(refusal(RawGguf(0, 0, 1), Code::kUnsupported),
            "m.gguf: version at offset 4: 1 cannot be read, only 2 and 3");
  EXPECT_EQ(refusal(RawGguf(0, 0, 0x03000000), Code::kUnsupported),
            "m.gguf: version at offset 4: the file is big-endian (version 3); only little-endian "
            "GGUF can be read");
  EXPECT_NE(refusal(RawGguf(0, 0, 0), Code::kUnsupported), "");
  EXPECT_NE(refusal(RawGguf(0, 0, 4), Code::kUnsupported), "");
}

TEST(Gguf, AbsurdCounts) {
  for (uint64_t count : {1ull << 18, 1ull << 20, 1ull << 32, 1ull << 60, ~0ull}) {
    EXPECT_NE(TensorFile::open_gguf(source_of(RawGguf(count, 0).bytes)).error().message.find(
                  "tensor count at offset"),
              std::string::npos);
    EXPECT_NE(TensorFile::open_gguf(source_of(RawGguf(0, count).bytes)).error().message.find(
                  "key count at offset"),
              std::string::npos);
  }
  for (MetaType item : {MetaType::kU8, MetaType::kF64, MetaType::kString})
    for (uint64_t count : {100ull, 1ull << 61, 1ull << 63, ~0ull}) {
      RawGguf raw(0, 1);
      raw.key("a", MetaType::kArray).put(static_cast<uint32_t>(item)).put(count).put<uint64_t>(0);
      EXPECT_NE(refusal(raw).find("metadata 'a' at offset 49"), std::string::npos) << refusal(raw);
    }
  RawGguf raw(0, 1);
  raw.key("a", MetaType::kString).put<uint64_t>(1ull << 40).put<uint64_t>(0);
  EXPECT_EQ(refusal(raw),
            "m.gguf: metadata 'a' at offset 37: a string of 1099511627776 bytes, and 8 bytes are "
            "left");
}

TEST(Gguf, Keys) {
  EXPECT_EQ(refusal(RawGguf(0, 2).key("a", MetaType::kU8).put<uint8_t>(1).key("a", MetaType::kU8)
                        .put<uint8_t>(2)),
            "m.gguf: key 1 at offset 46: metadata key 'a' is there twice");
  EXPECT_EQ(refusal(RawGguf(0, 1).key("a\xFF", MetaType::kU64).put<uint64_t>(1)),
            "m.gguf: key 0 at offset 32: 'a\\xff' is not UTF-8");
  EXPECT_NE(refusal(RawGguf(0, 1).key("", MetaType::kU64).put<uint64_t>(1)), "");
  EXPECT_NE(refusal(RawGguf(0, 1).key(std::string(65536, 'k'), MetaType::kU8).put<uint8_t>(1)), "");
  EXPECT_EQ(refusal(RawGguf(0, 1).key(std::string(65535, 'k'), MetaType::kU8).put<uint8_t>(1)), "");
}

TEST(Gguf, Values) {
  EXPECT_EQ(refusal(RawGguf(0, 1).key("a", static_cast<MetaType>(13)).put<uint64_t>(1)),
            "m.gguf: metadata 'a' at offset 33: unknown value type 13");
  EXPECT_EQ(refusal(RawGguf(0, 1).key("a", MetaType::kBool).put<uint8_t>(2)),
            "m.gguf: metadata 'a' at offset 37: a bool must be 0 or 1, not 2");
  RawGguf nested(0, 1);
  nested.key("a", MetaType::kArray).put<uint32_t>(9).put<uint64_t>(1).put<uint32_t>(0);
  EXPECT_EQ(refusal(nested, Code::kUnsupported),
            "m.gguf: metadata 'a' at offset 37: an array of arrays");
  RawGguf empty(0, 1);
  empty.key("a", MetaType::kArray).put<uint32_t>(8).put<uint64_t>(0);
  EXPECT_EQ(refusal(empty), "") << "an empty array is fine";
}

TEST(Gguf, Alignment) {
  for (uint32_t alignment : {0u, 1u, 4u, 24u, 33u, 1u << 17, 1u << 31}) {
    RawGguf raw(0, 1);
    raw.key("general.alignment", MetaType::kU32).put(alignment);
    EXPECT_NE(refusal(raw).find("'general.alignment' is"), std::string::npos) << alignment;
  }
  RawGguf text(0, 1);
  text.key("general.alignment", MetaType::kString).text("32");
  EXPECT_NE(refusal(text).find("is string, not an integer"), std::string::npos);
  RawGguf large(1, 1);
  large.key("general.alignment", MetaType::kU32).put<uint32_t>(65536);
  large.tensor("a", {1}, kF32, 0).data(4, 65536);
  EXPECT_EQ(refusal(large), "");
}

TEST(Gguf, TensorShapes) {
  auto with = [](const std::vector<uint64_t>& dims, uint32_t encoding = kF32) {
    return RawGguf(1, 0).tensor("a", dims, encoding, 0).data(64);
  };
  EXPECT_EQ(refusal(with({})), "") << "a scalar";
  EXPECT_EQ(refusal(with({2, 2, 2, 2})), "");
  EXPECT_EQ(refusal(with({1, 1, 1, 1, 1})),
            "m.gguf: tensor 'a' shape at offset 33: 5 dimensions, at most 4 are allowed");
  EXPECT_EQ(refusal(with({2, 0})), "m.gguf: tensor 'a' shape at offset 45: dimension 1 is 0");
  EXPECT_NE(refusal(with({1ull << 32, 1ull << 32})), "");
  EXPECT_NE(refusal(with({1ull << 62})).find("takes more than 2^64 bytes"), std::string::npos);
  EXPECT_NE(refusal(with({1ull << 61})).find("beyond the end"), std::string::npos);
  EXPECT_NE(refusal(with({~0ull})), "");
  EXPECT_EQ(refusal(with({33}, kQ8_0)),
            "m.gguf: tensor 'a' type at offset 45: rows of 33 values are no whole Q8_0 blocks of "
            "32");
  EXPECT_NE(refusal(with({16, 2}, kQ8_0)).find("no whole Q8_0 blocks"), std::string::npos)
      << "two rows of half a block";
  EXPECT_EQ(refusal(with({4}, 99), Code::kUnsupported),
            "m.gguf: tensor 'a' type at offset 45: unknown encoding number 99");
}

TEST(Gguf, TensorRanges) {
  auto with = [](uint64_t offset, uint64_t data) {
    return RawGguf(1, 0).tensor("a", {8}, kF32, offset).data(data);
  };
  EXPECT_EQ(refusal(with(0, 32)), "");
  EXPECT_EQ(refusal(with(32, 64)), "") << "a gap is allowed";
  EXPECT_EQ(refusal(with(0, 31)),
            "m.gguf: tensor 'a' offset at offset 49: 32 bytes of data from 0 after 64 reach beyond "
            "the end of the file (95 bytes); is it complete?");
  EXPECT_EQ(refusal(with(4, 64)),
            "m.gguf: tensor 'a' offset at offset 49: 4 is not a multiple of the alignment 32");
  EXPECT_NE(refusal(with(32, 32)), "");
  EXPECT_NE(refusal(with(~0ull - 31, 32)).find("beyond the end"), std::string::npos)
      << "offset + begin wraps";
  EXPECT_NE(refusal(with(~0ull - 95, 32)).find("beyond the end"), std::string::npos);
}

TEST(Gguf, NamesAndOverlap) {
  EXPECT_EQ(refusal(RawGguf(2, 0).tensor("a", {8}, kF32, 0).tensor("a", {8}, kF32, 32).data(64)),
            "m.gguf: two tensors are named 'a', with data at offsets 96 and 128");
  EXPECT_EQ(refusal(RawGguf(2, 0).tensor("a", {9}, kF32, 0).tensor("b", {8}, kF32, 32).data(64)),
            "m.gguf: tensors 'a' and 'b' overlap: bytes 96 to 132, and the other from offset 128");
  EXPECT_NE(refusal(RawGguf(2, 0).tensor("a", {8}, kF32, 0).tensor("b", {8}, kF32, 0).data(64)),
            "");
  EXPECT_EQ(refusal(RawGguf(2, 0).tensor("b", {8}, kF32, 32).tensor("a", {8}, kF32, 0).data(64)),
            "") << "any order";
  EXPECT_NE(refusal(RawGguf(1, 0).tensor("a\nb\xC0", {8}, kF32, 0).data(32)).find("'a\\x0ab\\xc0'"),
            std::string::npos) << "messages stay on one line";
  EXPECT_NE(refusal(RawGguf(1, 0).tensor("", {8}, kF32, 0).data(32)), "");
  EXPECT_NE(refusal(RawGguf(1, 0).tensor(std::string(1025, 'a'), {8}, kF32, 0).data(32)), "");
}

// A header of a few MiB must not make us allocate many times its size.
TEST(Gguf, BudgetOfStrings) {
  RawGguf raw(0, 1);
  uint64_t count = (256ull << 20) / 16 + 1;
  raw.key("a", MetaType::kArray).put<uint32_t>(8).put(count);
  raw.bytes.resize(raw.bytes.size() + count * 8, '\0');
  EXPECT_NE(refusal(raw, Code::kTooLarge).find("more than 256 MiB"), std::string::npos);
}

TEST(Gguf, TraceCoversTheHeader) {
  RawGguf raw(1, 2);
  raw.key("s", MetaType::kArray).put<uint32_t>(8).put<uint64_t>(2).text("x").text("yy");
  raw.key("n", MetaType::kArray).put<uint32_t>(4).put<uint64_t>(2).put<uint64_t>(7);
  raw.tensor("t", {8}, kF32, 0);
  uint64_t header = raw.bytes.size();
  raw.data(32);
  uint64_t next = 0;
  auto part = parse_gguf(source_of(raw.bytes), 0, [&](const GgufFieldAt& field) {
    EXPECT_EQ(field.offset, next) << "fields follow each other without gaps";
    next = field.offset + field.bytes;
  });
  ASSERT_TRUE(part.has_value()) << part.error().message;
  EXPECT_EQ(next, header);
  EXPECT_EQ(part->header_bytes, header);
}

// Opening touches the header only: of 4 GiB hardly a page may be in memory afterwards.
TEST(Gguf, OpeningALargeFileDoesNotReadIt) {
  auto path = std::filesystem::path(testing::TempDir()) / ("sparse-" + std::to_string(getpid()));
  TensorToWrite tensor{"large", {1 << 15, 1 << 15}, &k_f32, {}};
  auto layout = lay_out_gguf(Metadata(), {tensor});
  ASSERT_TRUE(layout.has_value());
  ASSERT_TRUE(write_file_atomic(path, layout->header).has_value());
  ASSERT_EQ(layout->file_bytes, layout->header.size() + (4ull << 30));
  ASSERT_EQ(truncate(path.c_str(), static_cast<off_t>(layout->file_bytes)), 0);
  auto start = std::chrono::steady_clock::now();
  auto file = TensorFile::open(path);
  std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  ASSERT_TRUE(file.has_value()) << file.error().message;
  RecordProperty("open_ms", std::to_string(took.count()));
  auto data = file->data(file->tensors()[0]);
  ASSERT_EQ(data.size(), 4ull << 30);
  size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  auto begin = reinterpret_cast<uintptr_t>(data.data()) / page * page;
  std::vector<unsigned char> resident(data.size() / page);
  ASSERT_EQ(mincore(reinterpret_cast<void*>(begin), data.size(), resident.data()), 0);
  auto pages = std::count_if(resident.begin(), resident.end(), [](auto r) { return r & 1; });
  std::filesystem::remove(path);
  EXPECT_LT(pages, std::ssize(resident) / 100);
}

TEST(Gguf, OpenByPath) {
  EXPECT_EQ(TensorFile::open("/no/such/file.gguf").error().code, Code::kNotFound);
  auto path = std::filesystem::path(testing::TempDir()) / ("kind-" + std::to_string(getpid()));
  ASSERT_TRUE(write_file_atomic(path, RawGguf(0, 0).bytes).has_value());
  EXPECT_TRUE(TensorFile::open(path).has_value()) << "content tells the kind, not the name";
  ASSERT_TRUE(write_file_atomic(path, "hello").has_value());
  EXPECT_NE(TensorFile::open(path).error().message.find("neither a GGUF nor a safetensors"),
            std::string::npos);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace hearth
