#include "registry/modelfile.h"

#include <gtest/gtest.h>

#include "registry/parameters.h"

namespace hearth {
namespace {

Modelfile parsed(std::string_view text) {
  auto out = Modelfile::parse(text);
  EXPECT_TRUE(out) << out.error().message;
  return out ? std::move(*out) : Modelfile{};
}

std::string error_of(std::string_view text) {
  auto out = Modelfile::parse(text);
  if (out) return "no error";
  EXPECT_EQ(out.error().code, Code::kInvalid);
  return out.error().message;
}

TEST(Modelfile, AllInstructions) {
  Modelfile file = parsed(
      "\xEF\xBB\xBF# a comment\r\n"
      "from ./model.gguf\r\n"
      "\n"
      "PARAMETER temperature 0.25\n"
      "parameter Num_Ctx 4096\n"
      "PARAMETER stop \"<|im_end|>\"\n"
      "PARAMETER stop User:\n"
      "SYSTEM You are brief.\n"
      "MESSAGE user Hello\n"
      "MESSAGE assistant \"\"\"Hi\nthere\"\"\"\n"
      "LICENSE one\n"
      "LICENSE \"\"\"two\nlines\"\"\"\n"
      "ADAPTER ./lora.gguf\n"
      "RENDERER qwen3\n"
      "TEMPLATE \"\"\"{{ .Prompt }}\n\"\"\"\n");
  ASSERT_EQ(file.from.size(), 1u);
  EXPECT_EQ(file.from[0].text, "./model.gguf");
  EXPECT_EQ(file.from[0].line, 2);
  EXPECT_EQ(parameters_to_json(file.parameters).dump(),
            R"({"temperature": 0.25, "stop": ["<|im_end|>", "User:"], "num_ctx": 4096})");
  EXPECT_EQ(file.system, "You are brief.");
  EXPECT_EQ(file.template_text, "{{ .Prompt }}\n");
  ASSERT_EQ(file.messages.size(), 2u);
  EXPECT_EQ(file.messages[1].role, "assistant");
  EXPECT_EQ(file.messages[1].content, "Hi\nthere");
  EXPECT_EQ(file.licenses, (std::vector<std::string>{"one", "two\nlines"}));
  EXPECT_EQ(file.adapters[0].text, "./lora.gguf");
  EXPECT_EQ(file.extras[0], (std::pair<std::string, std::string>{"renderer", "qwen3"}));
}

// The cases of Ollama's parser tests, in words of our own: how quotes end.
TEST(Modelfile, Quotes) {
  auto system = [](std::string_view value) {
    return parsed("FROM x\nSYSTEM " + std::string(value) + "\nPARAMETER seed 1\n").system.value();
  };
  EXPECT_EQ(system("plain text  "), "plain text");
  EXPECT_EQ(system("\"quoted\""), "quoted");
  EXPECT_EQ(system("\"over\ntwo lines\""), "over\ntwo lines");
  EXPECT_EQ(system("\"\"\"\nraw \"inner\" text\n\"\"\""), "\nraw \"inner\" text\n");
  EXPECT_EQ(system("\"\"\"a \"\"\" b\"\"\""), "a \"\"\" b");
  EXPECT_EQ(system("it's \"half\" quoted"), "it's \"half\" quoted");
  EXPECT_EQ(system("\"\""), "");
  EXPECT_EQ(system("\"\"\"# not a comment\nFROM y\"\"\""), "# not a comment\nFROM y");
  EXPECT_EQ(system("back\\slash \\n stays"), "back\\slash \\n stays");
}

TEST(Modelfile, ErrorsNameTheLine) {
  EXPECT_EQ(error_of(""), "the Modelfile has no FROM; say which model it starts from");
  EXPECT_TRUE(error_of("# x\n\nFORM a\n").starts_with("line 3: 'form' is no instruction"));
  EXPECT_EQ(error_of("FROM a\nPARAMETER temprature 1\n"),
            "line 2: unknown parameter 'temprature'; did you mean temperature?");
  EXPECT_EQ(error_of("FROM a\nPARAMETER temperature hot\n"),
            "line 2: temperature takes a number from 0 to 100, not 'hot'");
  EXPECT_EQ(error_of("FROM a\nPARAMETER top_p 1.5\n"),
            "line 2: top_p takes a number from 0 to 1, not '1.5'");
  EXPECT_EQ(error_of("FROM a\nPARAMETER num_ctx 1e3\n"),
            "line 2: num_ctx takes a whole number from 4 to 16777216, not '1e3'");
  EXPECT_EQ(error_of("FROM a\nPARAMETER num_ctx 99999999999999999999\n"),
            "line 2: num_ctx takes a whole number from 4 to 16777216, not "
            "'99999999999999999999'");
  EXPECT_EQ(error_of("FROM a\nPARAMETER temperature nan\n"),
            "line 2: temperature takes a number from 0 to 100, not 'nan'");
  EXPECT_TRUE(error_of("FROM a\nPARAMETER seed\n").starts_with("line 2: parameter seed needs"));
  EXPECT_EQ(error_of("FROM a\n\nSYSTEM \"\"\"never\nends"),
            "line 3: the quote \"\"\" is not closed before the end of the file");
  EXPECT_EQ(error_of("FROM a\nSYSTEM \""),
            "line 2: the quote \" is not closed before the end of the file");
  EXPECT_EQ(error_of("FROM a\nMESSAGE tool x\n"),
            "line 2: the role 'tool' must be system, user or assistant");
  EXPECT_EQ(error_of("FROM\n"), "line 1: from needs a value");
  EXPECT_EQ(error_of("FROM a\nSYSTEM \"\"\"x\ny\"\"\"\nNOPE\n").substr(0, 7), "line 4:");
  EXPECT_EQ(error_of(std::string_view("FROM a\0", 7)), "the Modelfile holds a zero byte");
  EXPECT_EQ(error_of("FROM \xFF\n"), "the Modelfile is no UTF-8 text");
  EXPECT_EQ(error_of("\xFF\xFE" "F"), "the Modelfile is UTF-16; save it as UTF-8");
}

TEST(Modelfile, OldParametersAreAcceptedWithAWarning) {
  Modelfile file = parsed("FROM a\nPARAMETER tfs_z 1\nPARAMETER penalize_newline false\n");
  ASSERT_EQ(file.warnings.size(), 2u);
  EXPECT_EQ(file.warnings[0], "line 2: parameter tfs_z has no effect any more");
}

TEST(Modelfile, ValuesSurviveQuoting) {
  for (std::string_view value : {"plain", " spaces ", "two\nlines", "a \"b\" c", "\"quoted\"",
                                 "ends with \"", "", "{{ .Prompt }}\n", "# hash", "\"", "a\rb",
                                 "tab\t",
                                 "\rr\r", "\"\n\"\"\nx", "a\"\"\" b\nc", "x\"\"\"",
                                 "\f"}) {
    auto quoted = quote_modelfile_value(value);
    ASSERT_TRUE(quoted) << value;
    EXPECT_EQ(parsed("FROM x\nSYSTEM " + *quoted + "\n").system, value) << *quoted;
  }
  for (std::string_view value : {"a\"\"\"\nb", "\"\"\" \t\nb", "\"\"\"\"\n"})
    EXPECT_FALSE(quote_modelfile_value(value)) << value;
  EXPECT_EQ(parsed("FROM x\r\r\nSYSTEM \"a\r\r\nb\"\r\n").system, "a\nb");
}

// Four million blank lines: a reader that looks back over them at each takes hours.
TEST(Modelfile, BlankLinesTakeLinearTime) {
  std::string value = "a" + std::string(4 << 20, '\n') + "b\"";
  auto quoted = quote_modelfile_value(value);
  ASSERT_TRUE(quoted);
  EXPECT_EQ(parsed("FROM x\nSYSTEM " + *quoted + "\n").system, value);
}

TEST(Parameters, FromJson) {
  auto params = Json::parse(
      R"({"temperature":0,"top_k":40.0,"seed":-1,"stop":["a","b"],"use_mmap":true,"later":{},
          "num_gpu":null})");
  auto bag = parameters_from_json(*params);
  ASSERT_TRUE(bag) << bag.error().message;
  EXPECT_EQ(bag->number("temperature"), 0);
  EXPECT_EQ(bag->integer("top_k"), 40);
  EXPECT_EQ(bag->integer("seed"), -1);
  EXPECT_TRUE(bag->flag("use_mmap"));
  EXPECT_EQ(bag->list("stop"), (std::vector<std::string>{"a", "b"}));
  EXPECT_FALSE(bag->has("num_gpu"));
  for (std::string_view bad : {R"({"top_p":2})", R"({"top_k":"many"})", R"({"top_k":[1]})",
                               R"({"seed":{}})", R"([])", R"({"top_k":1e300})"})
    EXPECT_FALSE(parameters_from_json(*Json::parse(bad))) << bad;
}

}  // namespace
}  // namespace hearth
