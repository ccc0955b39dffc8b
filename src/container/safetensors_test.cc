#include "container/safetensors.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstring>

#include "base/file.h"
#include "container/raw_gguf.h"
#include "container/test_folder.h"

namespace hearth {
namespace {

std::string file_of(std::string_view header, uint64_t data, uint64_t length) {
  std::string out(8, '\0');
  std::memcpy(out.data(), &length, 8);
  out += header;
  return out.append(data, '\x11');
}
std::string file_of(std::string_view header, uint64_t data = 0) {
  return file_of(header, data, header.size());
}
std::string entry(std::string_view name, std::string_view dtype, std::string_view shape,
                  uint64_t begin, uint64_t end) {
  return fmt::format(R"("{}":{{"dtype":"{}","shape":{},"data_offsets":[{},{}]}})", name, dtype,
                     shape, begin, end);
}
std::string one(std::string_view dtype, std::string_view shape, uint64_t bytes) {
  return file_of("{" + entry("a", dtype, shape, 0, bytes) + "}", bytes);
}

std::string refusal(const std::string& bytes, Code code = Code::kCorrupt) {
  auto file = TensorFile::open_safetensors(source_of(bytes, "m.safetensors"));
  if (file) return "";
  EXPECT_EQ(file.error().code, code) << file.error().message;
  return file.error().message;
}

TEST(Safetensors, SmallestFiles) {
  EXPECT_EQ(refusal(file_of("{}")), "");
  EXPECT_EQ(refusal(file_of("{}      ")), "") << "padded with spaces";
  EXPECT_EQ(refusal(file_of(R"({"__metadata__":{}})")), "");
  EXPECT_EQ(refusal(one("F32", "[]", 4)), "") << "a scalar";
  EXPECT_EQ(refusal(one("BF16", "[1,2,3,4,5]", 240)), "") << "convolutions have five dimensions";
}

TEST(Safetensors, Contents) {
  std::string header = R"({"__metadata__":{"format":"pt","x":"y"},)" +
                       entry("b", "F16", "[2]", 24, 28) + "," + entry("a", "F32", "[2,3]", 0, 24) +
                       "," + entry("ids", "I64", "[1]", 28, 36) + "}";
  auto file = TensorFile::open_safetensors(source_of(file_of(header, 36)));
  ASSERT_TRUE(file.has_value()) << file.error().message;
  EXPECT_EQ(file->kind(), ContainerKind::kSafetensors);
  EXPECT_EQ(file->metadata().text("x").value(), "y");
  ASSERT_EQ(file->tensors().size(), 2u);
  EXPECT_EQ(file->find("a")->shape_text(), "[2, 3]");
  EXPECT_EQ(file->find("a")->encoding, &k_f32);
  EXPECT_EQ(file->find("b")->encoding, &k_f16);
  EXPECT_EQ(file->find("b")->offset, 8 + header.size() + 24);
  ASSERT_EQ(file->skipped().size(), 1u);
  EXPECT_EQ(file->skipped()[0].name, "ids");
  EXPECT_EQ(file->skipped()[0].type, "I64");
}

TEST(Safetensors, HeaderLength) {
  EXPECT_EQ(refusal("1234567"),
            "m.safetensors: header length at offset 0: needs 8 bytes, 7 are left");
  EXPECT_EQ(refusal(""), "m.safetensors: header length at offset 0: needs 8 bytes, 0 are left");
  EXPECT_EQ(refusal(file_of("{}", 0, 3)),
            "m.safetensors: header length at offset 0: 3 reaches beyond the end of the file");
  EXPECT_NE(refusal(file_of("{}", 0, ~0ull)).find("more than the format's"), std::string::npos);
  EXPECT_NE(refusal(file_of("{}", 0, 0)), "");
  EXPECT_NE(refusal(file_of("{}", 0, 1)), "");
}

TEST(Safetensors, HeaderIsOneObject) {
  for (std::string_view header : {"[]", " {}", "{", "{}x", "null", "{\"a\":}", "{\"a\":1}",
                                  "{\"a\":{}}", "{\"\xFF\":{}}"})
    EXPECT_NE(refusal(file_of(header)), "") << header;
  EXPECT_NE(refusal(file_of("{\"a\":" + std::string(100'000, '['))).find("nested too deeply"),
            std::string::npos);
  std::string wide = "{\"a\":[" + std::string(2u << 20, ',') + "]}";
  EXPECT_NE(refusal(file_of(wide), Code::kTooLarge).find("values"), std::string::npos);
}

TEST(Safetensors, Metadata) {
  EXPECT_NE(refusal(file_of(R"({"__metadata__":[]})")), "");
  EXPECT_NE(refusal(file_of(R"({"__metadata__":{"a":1}})")).find("'a'"), std::string::npos);
  EXPECT_NE(refusal(file_of(R"({"__metadata__":{"a":"1","a":"2"}})")), "");
  EXPECT_NE(refusal(file_of(R"({"__metadata__":{"a":"1"},"__metadata__":{"b":"2"}})")), "");
}

TEST(Safetensors, Fields) {
  auto bad = [](std::string_view body) {
    return refusal(file_of("{\"a\":{" + std::string(body) + "}}", 4));
  };
  EXPECT_EQ(bad(R"("dtype":"F32","shape":[1],"data_offsets":[0,4])"), "");
  EXPECT_NE(bad(R"("dtype":"F32","shape":[1])"), "");
  EXPECT_NE(bad(R"("dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1)"), "");
  EXPECT_NE(bad(R"("dtype":"F32","dtype":"F32","data_offsets":[0,4])"), "") << "no shape";
  EXPECT_NE(bad(R"("dtype":1,"shape":[1],"data_offsets":[0,4])"), "");
  EXPECT_NE(bad(R"("dtype":"F32","shape":1,"data_offsets":[0,4])"), "");
  EXPECT_NE(bad(R"("dtype":"F32","shape":[-1],"data_offsets":[0,4])"), "");
  EXPECT_NE(bad(R"("dtype":"F32","shape":[1.0],"data_offsets":[0,4])"), "");
  EXPECT_NE(bad(R"("dtype":"F32","shape":["1"],"data_offsets":[0,4])"), "");
  EXPECT_NE(bad(R"("dtype":"F32","shape":[1],"data_offsets":[0])"), "");
  EXPECT_NE(bad(R"("dtype":"F32","shape":[1],"data_offsets":[0,4,8])"), "");
  EXPECT_NE(bad(R"("dtype":"F32","shape":[1],"data_offsets":[4,0])"), "");
  EXPECT_NE(bad(R"("dtype":"F32","shape":[1],"data_offsets":[0,5])"), "");
  EXPECT_NE(bad(R"("dtype":"F32","shape":[1],"data_offsets":[0,18446744073709551620])"), "");
  EXPECT_NE(bad(R"("dtype":"F32","shape":[2],"data_offsets":[0,4])"), "");
  EXPECT_NE(bad(R"("dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4])"), "");
  EXPECT_NE(bad(R"("dtype":"F32","shape":[4611686018427387905],"data_offsets":[0,4])"), "")
      << "2^62 + 1 values of 4 bytes wrap to 4";
  EXPECT_NE(bad(R"("dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4])"), "");
}

TEST(Safetensors, Dtypes) {
  for (std::string_view skipped : {"I64", "U64"}) EXPECT_EQ(refusal(one(skipped, "[2]", 16)), "");
  for (std::string_view skipped : {"BOOL", "U8", "I8"})
    EXPECT_EQ(refusal(one(skipped, "[3]", 3)), "");
  EXPECT_NE(refusal(one("I64", "[2]", 15)), "") << "skipped, but its range is checked";
  for (std::string_view refused : {"F64", "C64"})
    EXPECT_EQ(refusal(one(refused, "[1]", 8), Code::kUnsupported),
              fmt::format("m.safetensors: tensor 'a' dtype in the header at offset 8: numbers of "
                          "type {} cannot be read", refused));
  EXPECT_NE(refusal(one("F8_E4M3", "[8]", 8), Code::kUnsupported), "");
  EXPECT_NE(refusal(one("F4", "[2]", 1), Code::kUnsupported).find("F4"), std::string::npos);
  EXPECT_NE(refusal(one("Q4", "[2]", 1), Code::kUnsupported).find("unknown type 'Q4'"),
            std::string::npos);
}

TEST(Safetensors, DataIsCoveredExactly) {
  auto two = [](uint64_t b1, uint64_t e1, uint64_t b2, uint64_t e2, uint64_t data) {
    auto shape = [](uint64_t bytes) { return fmt::format("[{}]", bytes / 4); };
    return refusal(file_of("{" + entry("a", "F32", shape(e1 - b1), b1, e1) + "," +
                           entry("b", "I32", shape(e2 - b2), b2, e2) + "}", data));
  };
  EXPECT_EQ(two(0, 8, 8, 16, 16), "");
  EXPECT_EQ(two(8, 16, 0, 8, 16), "");
  EXPECT_NE(two(0, 8, 4, 12, 12).find("they overlap"), std::string::npos);
  EXPECT_NE(two(0, 8, 0, 8, 8).find("they overlap"), std::string::npos);
  EXPECT_NE(two(0, 8, 12, 16, 16).find("there is a hole"), std::string::npos);
  EXPECT_NE(two(4, 8, 8, 16, 16).find("there is a hole"), std::string::npos);
  EXPECT_NE(two(0, 8, 8, 16, 20).find("16 bytes of data belong to tensors, 20 are there"),
            std::string::npos);
  EXPECT_NE(two(0, 8, 8, 16, 12).find("is the file complete?"), std::string::npos);
}

TEST(Safetensors, Names) {
  EXPECT_NE(refusal(file_of("{" + entry("a", "F32", "[1]", 0, 4) + "," +
                            entry("a", "F32", "[1]", 4, 8) + "}", 8)).find("two tensors"),
            std::string::npos);
  EXPECT_NE(refusal(file_of("{" + entry("a", "F32", "[1]", 0, 4) + "," +
                            entry("a", "I32", "[1]", 4, 8) + "}", 8)).find("two tensors"),
            std::string::npos);
  EXPECT_NE(refusal(file_of("{" + entry("", "F32", "[1]", 0, 4) + "}", 4)), "");
}

class Shards : public TestFolder {
 protected:
  void write(const std::string& name, const std::string& bytes) {
    ASSERT_TRUE(write_file_atomic(path(name), bytes).has_value());
  }
  void index(std::string_view map) {
    write("model.safetensors.index.json", fmt::format(R"({{"weight_map":{}}})", map));
  }
  std::string refusal_of_folder() const {
    auto file = TensorFile::open(folder_.string());
    return file ? "" : file.error().message;
  }
  void SetUp() override {
    TestFolder::SetUp();
    write("x.safetensors", file_of("{" + entry("a", "F32", "[1]", 0, 4) + "}", 4));
    write("y.safetensors", file_of("{" + entry("b", "F32", "[2]", 0, 8) + "," +
                                   entry("ids", "I64", "[1]", 8, 16) + "}", 16));
  }
};

TEST_F(Shards, IndexBringsAll) {
  index(R"({"b":"y.safetensors","ids":"y.safetensors","a":"x.safetensors"})");
  auto file = TensorFile::open(folder_.string());
  ASSERT_TRUE(file.has_value()) << file.error().message;
  EXPECT_EQ(file->tensors().size(), 2u);
  EXPECT_EQ(file->data(*file->find("b")).size(), 8u);
  EXPECT_TRUE(TensorFile::open(path("model.safetensors.index.json")).has_value());
  EXPECT_EQ(TensorFile::open(path("y.safetensors"))->tensors().size(), 1u) << "a shard alone";
}

TEST_F(Shards, NamesStayInTheFolder) {
  for (std::string_view shard : {"../x.safetensors", "/etc/x.safetensors", "a/x.safetensors",
                                 "..", "", ".safetensors", "..\\\\x.safetensors", "x.bin",
                                 "x\\u0000.safetensors", "a..safetensors", ".x.safetensors"}) {
    index(fmt::format(R"({{"a":"{}"}})", shard));
    EXPECT_NE(refusal_of_folder().find("is no plain name"), std::string::npos) << shard;
  }
  index(R"({"a":7})");
  EXPECT_NE(refusal_of_folder().find("is no plain name"), std::string::npos);
}

TEST_F(Shards, BrokenIndexes) {
  EXPECT_NE(refusal_of_folder().find("neither"), std::string::npos) << "no index at all";
  index("{}");
  EXPECT_NE(refusal_of_folder().find("weight_map is empty"), std::string::npos);
  index("[]");
  EXPECT_NE(refusal_of_folder(), "");
  index(R"({"a":"x.safetensors","a":"y.safetensors"})");
  EXPECT_NE(refusal_of_folder().find("there twice"), std::string::npos);
  index(R"({"a":"z.safetensors"})");
  EXPECT_NE(refusal_of_folder().find("z.safetensors"), std::string::npos);
  index(R"({"a":"x.safetensors","c":"y.safetensors"})");
  EXPECT_NE(refusal_of_folder().find("places 'c' in 'y.safetensors'"), std::string::npos);
  write("model.safetensors.index.json", "{");
  EXPECT_NE(refusal_of_folder().find("not JSON"), std::string::npos);
}

TEST_F(Shards, TheIndexDecidesBetweenShards) {
  write("z.safetensors", file_of("{" + entry("a", "F32", "[3]", 0, 12) + "}", 12));
  index(R"({"a":"z.safetensors","b":"y.safetensors"})");
  EXPECT_EQ(refusal_of_folder(), "");
  write("y.safetensors", file_of("{" + entry("b", "F32", "[1]", 0, 4) + "," +
                                 entry("a", "F32", "[1]", 4, 8) + "}", 8));
  auto file = TensorFile::open(folder_.string());
  ASSERT_TRUE(file.has_value()) << file.error().message;
  EXPECT_EQ(file->find("a")->bytes, 12u);
}

}  // namespace
}  // namespace hearth
