// Split sets: the first part brings the others, and each says which one it is.
#include <gtest/gtest.h>

#include <optional>

#include "base/file.h"
#include "container/raw_gguf.h"
#include "container/test_folder.h"
#include "container/tensor_file.h"

namespace hearth {
namespace {

class Split : public TestFolder {
 protected:
  struct Part {
    std::optional<uint16_t> no, count;
    std::optional<int32_t> tensors;
    std::string tensor;  // "" for none
  };

  static std::string bytes_of(const Part& part) {
    RawGguf raw(part.tensor.empty() ? 0 : 1, uint64_t{part.no.has_value()} +
                                                 part.count.has_value() + part.tensors.has_value());
    if (part.no) raw.key("split.no", MetaType::kU16).put(*part.no);
    if (part.count) raw.key("split.count", MetaType::kU16).put(*part.count);
    if (part.tensors) raw.key("split.tensors.count", MetaType::kI32).put(*part.tensors);
    if (!part.tensor.empty()) raw.tensor(part.tensor, {8}, 0, 0).data(32);
    return raw.bytes;
  }
  void write(const std::string& name, const Part& part) {
    ASSERT_TRUE(write_file_atomic(path(name), bytes_of(part)).has_value());
  }
  std::string refusal() const {
    auto file = TensorFile::open(path("m-00001-of-00003.gguf"));
    return file ? "" : file.error().message;
  }
  // Three good parts, of which tests spoil one.
  void write_set() {
    write("m-00001-of-00003.gguf", {0, 3, 3, "a"});
    write("m-00002-of-00003.gguf", {1, 3, 3, "b"});
    write("m-00003-of-00003.gguf", {2, 3, 3, "c"});
  }
};

TEST_F(Split, AllTensorsInOneFile) {
  write_set();
  auto file = TensorFile::open(path("m-00001-of-00003.gguf"));
  ASSERT_TRUE(file.has_value()) << file.error().message;
  ASSERT_EQ(file->tensors().size(), 3u);
  EXPECT_EQ(file->find("c")->part, 2u);
  EXPECT_EQ(file->data(*file->find("c")).size(), 32u);
  EXPECT_EQ(file->file_bytes(), bytes_of({0, 3, 3, "a"}).size() * 3);
}

TEST_F(Split, FirstPartMayHaveNoTensors) {
  write_set();
  write("m-00001-of-00003.gguf", {0, 3, 2, ""});
  write("m-00002-of-00003.gguf", {1, 3, {}, "b"});
  write("m-00003-of-00003.gguf", {2, 3, {}, "c"});
  EXPECT_EQ(refusal(), "");
}

TEST_F(Split, RefusesBrokenSets) {
  write_set();
  std::filesystem::remove(path("m-00002-of-00003.gguf"));
  EXPECT_NE(refusal().find("m-00002-of-00003.gguf"), std::string::npos) << "a part is missing";
  write("m-00002-of-00003.gguf", {2, 3, 3, "b"});
  EXPECT_NE(refusal().find("'split.no' is 2, but 1 by its name"), std::string::npos);
  write("m-00002-of-00003.gguf", {{}, {}, {}, "b"});
  EXPECT_NE(refusal().find("'split.count' is 1, but 3 in the first part"), std::string::npos);
  write("m-00002-of-00003.gguf", {1, 4, 3, "b"});
  EXPECT_NE(refusal().find("'split.count' is 4"), std::string::npos);
  write("m-00002-of-00003.gguf", {1, 3, 4, "b"});
  EXPECT_NE(refusal().find("'split.tensors.count' is 4"), std::string::npos);
  write("m-00002-of-00003.gguf", {1, 3, 3, ""});
  EXPECT_NE(refusal().find("'split.tensors.count' is 3, but the parts have 2"), std::string::npos);
  write("m-00002-of-00003.gguf", {1, 3, 3, "a"});
  EXPECT_NE(refusal().find("two tensors are named 'a'"), std::string::npos);
  write("m-00002-of-00003.gguf", {1, 3, 3, "b"});
  EXPECT_EQ(refusal(), "");
}

TEST_F(Split, OtherPartsPointToTheFirst) {
  write_set();
  auto file = TensorFile::open(path("m-00002-of-00003.gguf"));
  ASSERT_FALSE(file.has_value());
  EXPECT_NE(file.error().message.find("is part 2 of 3; open the first, "), std::string::npos);
  EXPECT_NE(file.error().message.find("m-00001-of-00003.gguf"), std::string::npos);
}

TEST_F(Split, NameMustFitTheKeys) {
  write("m.gguf", {0, 3, 3, "a"});
  auto file = TensorFile::open(path("m.gguf"));
  ASSERT_FALSE(file.has_value());
  EXPECT_NE(file.error().message.find("must end in -00001-of-00003.gguf"), std::string::npos);
}

TEST_F(Split, AbsurdKeys) {
  write("m-00001-of-00003.gguf", {5, 3, 3, "a"});
  EXPECT_NE(refusal().find("'split.no' is 5, but the set has 3 parts"), std::string::npos);
  write("m-00001-of-00003.gguf", {0, 65535, 3, "a"});
  EXPECT_NE(refusal().find("'split.count' is 65535"), std::string::npos);
  write("m-00001-of-00003.gguf", {0, 3, -1, "a"});
  EXPECT_NE(refusal().find("must not be negative"), std::string::npos);
  write("m-00001-of-00003.gguf", {0, 1, 7, "a"});
  EXPECT_EQ(refusal(), "") << "a set of one is a file";
}

TEST_F(Split, BytesAtHandCannotBeASet) {
  auto file = TensorFile::open_gguf(source_of(bytes_of({0, 3, 3, "a"})));
  ASSERT_FALSE(file.has_value());
  EXPECT_EQ(file.error().code, Code::kUnsupported);
}

}  // namespace
}  // namespace hearth
