// The frame of the command line: parsing, help, tables. The program itself: tests/cli/.
#include <gtest/gtest.h>

#include "cli/command.h"
#include "cli/table.h"
#include "cli/terminal.h"

namespace hearth {
namespace {

constexpr OptionRow kOptions[] = {
    {.name = "temperature", .type = OptionType::kFloat, .letter = 't', .min = 0, .max = 2,
     .text = "how free"},
    {.name = "max-tokens", .type = OptionType::kInt, .fallback = "128", .min = -1},
    {.name = "verbose", .type = OptionType::kFlag, .letter = 'v', .text = "say more"},
    {.name = "stop", .type = OptionType::kString, .many = true},
    {.name = "secret", .type = OptionType::kFlag, .hidden = true},
};
constexpr Positional kPositionals[] = {
    {"MODEL", Positional::Count::kRequired, "what to run"},
    {"PROMPT", Positional::Count::kAny, "the question"}};
const Command kCommand = {.name = "ask", .summary = "Ask a model", .positionals = kPositionals,
                          .options = kOptions};
const Command* const kTable[] = {&kCommand};

Result<Args> parse(std::vector<std::string> words) { return parse_args(kCommand, words); }

std::string error_of(std::vector<std::string> words) {
  auto args = parse(std::move(words));
  if (args) return "no error";
  EXPECT_EQ(info(args.error().code).exit_code, 2);
  return args.error().message;
}

TEST(Args, OptionsInAllForms) {
  for (std::vector<std::string> words :
       {std::vector<std::string>{"m", "--temperature", "0.5", "--verbose"},
        {"--temperature=0.5", "-v", "m"}, {"-t", "0.5", "m", "-v"}, {"-t0.5", "-v", "m"},
        {"-vt", "0.5", "m"}, {"-vt0.5", "m"}, {"--verbose=true", "m", "-t", "0.5"}}) {
    Args args = parse(words).value();
    EXPECT_EQ(args.options.number("temperature"), 0.5);
    EXPECT_TRUE(args.options.flag("verbose"));
    EXPECT_EQ(args.positional("MODEL"), "m");
    EXPECT_EQ(args.options.integer("max-tokens"), 128);
  }
}

TEST(Args, PromptsAreTakenAsTheyAre) {
  for (std::string prompt : {"-5 degrees?", "- item", "-", "[1,2,3]", "{}", "", "a=b", "%%",
                             "\xC3\xA4\xFF", "two\nlines", "-3", "-.5", "[]", "\"quoted\""}) {
    EXPECT_EQ(parse({"m", prompt})->positional("PROMPT"), prompt);
    EXPECT_EQ(parse({"m", "--", prompt})->positional("PROMPT"), prompt);
    EXPECT_EQ(parse({"m", "--stop", prompt})->options.list("stop"),
              std::vector<std::string>{prompt});
    EXPECT_EQ(parse({"m", "--stop=" + prompt})->options.list("stop"),
              std::vector<std::string>{prompt});
  }
  EXPECT_EQ(parse({"m", "--", "-v", "--help"})->positional("PROMPT"), "-v --help");
  EXPECT_EQ(parse({"m", "a", "b", "c"})->positionals("PROMPT").size(), 3u);
  EXPECT_EQ(parse({"m", "--max-tokens", "-1"})->options.integer("max-tokens"), -1);
  EXPECT_FALSE(parse({"m"})->has("PROMPT"));
}

TEST(Args, Errors) {
  EXPECT_EQ(error_of({}), "ask needs MODEL; see hearth ask --help");
  EXPECT_EQ(error_of({"m", "--temprature", "1"}),
            "ask has no option --temprature; did you mean --temperature?");
  EXPECT_EQ(error_of({"m", "--temprature=1"}),
            "ask has no option --temprature; did you mean --temperature?");
  EXPECT_EQ(error_of({"m", "-x"}), "ask has no option -x; see hearth ask --help, or put -- before "
                                   "a text that begins with a dash");
  EXPECT_EQ(error_of({"m", "--temperature"}),
            "--temperature needs a value: a number from 0 to 2");
  EXPECT_EQ(error_of({"m", "-t", "3"}), "-t takes a number from 0 to 2, not '3'");
  EXPECT_EQ(error_of({"m", "--verbose=maybe"}), "--verbose takes true or false, not 'maybe'");
  EXPECT_EQ(error_of({"m", "--max-tokens", "9999999999999999999"}),
            "--max-tokens takes a whole number of at least -1, not '9999999999999999999'");
  constexpr Positional kOne[] = {{"ONE", Positional::Count::kOptional, ""}};
  const Command small = {.name = "small", .positionals = kOne};
  const std::vector<std::string> two = {"a", "b"};
  EXPECT_EQ(parse_args(small, two).error().message,
            "small does not know what to do with 'b'; see hearth small --help");
}

TEST(Args, HelpComesBeforeErrors) {
  EXPECT_TRUE(parse({"--help"})->wants_help);
  EXPECT_TRUE(parse({"-h", "--nonsense"})->wants_help);
  std::string help = help_text(kCommand);
  EXPECT_NE(help.find("Usage: hearth ask MODEL [PROMPT...] [options]"), std::string::npos);
  EXPECT_NE(help.find("-t, --temperature NUMBER  how free"), std::string::npos);
  EXPECT_NE(help.find("(default: 128)"), std::string::npos);
  EXPECT_EQ(help.find("secret"), std::string::npos);
}

TEST(Table, Aligns) {
  Table table({"NAME", "SIZE"});
  table.add({"\xE6\xBC\xA2", "1 MB"});  // a wide character
  table.add({"long name", "2 MB"});
  table.add({"\x1b[31mred", "\n"});
  EXPECT_EQ(table.text(),
            "NAME           SIZE\n"
            "\xE6\xBC\xA2             1 MB\n"
            "long name      2 MB\n"
            "\\x1b[31mred     \n");
}

TEST(Table, SizesAndAges) {
  EXPECT_EQ(size_text(0), "0 B");
  EXPECT_EQ(size_text(999), "999 B");
  EXPECT_EQ(size_text(98'362'432), "98 MB");
  EXPECT_EQ(size_text(1'117'320'768), "1.1 GB");
  EXPECT_EQ(size_text(9'960'000'000), "10 GB");
  EXPECT_EQ(size_text(999'600'000), "1.0 GB");
  EXPECT_EQ(count_text(134'515'008), "134.52M");
  EXPECT_EQ(count_text(7'615'616'512), "7.6B");
  EXPECT_EQ(age_text(0), "just now");
  EXPECT_EQ(age_text(1), "1 second ago");
  EXPECT_EQ(age_text(3 * 604800), "3 weeks ago");
  EXPECT_EQ(age_text(8 * 86400), "8 days ago");
  EXPECT_EQ(age_text(-5), "just now");
}

TEST(Terminal, TextFromFilesIsShownNotObeyed) {
  EXPECT_EQ(printable("a\x1b]0;t\x07\n\t\xFF\x7F\xC2\x9B"),
            "a\\x1b]0;t\\x07\n\t\xEF\xBF\xBD\\x7f\\x9b");
}

}  // namespace

std::span<const Command* const> commands() { return kTable; }

}  // namespace hearth
