// Templates that try to run away, and text that is no template: an error, soon, in little memory.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <time.h>

#include <cstdio>
#include <random>

#include "template/template.h"

namespace hearth {
namespace {

std::string repeat(std::string_view text, size_t times) {
  std::string out;
  for (size_t i = 0; i < times; ++i) out += text;
  return out;
}

// Peak memory of this process so far, in MiB.
long peak_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss / 1024;
}

// What this thread has computed so far.
double processor_ms() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

struct Attack {
  std::string name;
  std::string source;
};

std::vector<Attack> loops_and_sizes() {
  return {
      {"range", "{{ range(10**9) | list }}"},
      {"range loop", "{% for i in range(1000000000) %}x{% endfor %}"},
      {"nested ranges",
       "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}"},
      {"nested output",
       "{% for a in range(100000) %}{% for b in range(100000) %}xxxxxxxx{% endfor %}{% endfor %}"},
      {"macro recursion", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"},
      {"macro tree", "{% macro m(n) %}{% if n %}{{ m(n-1) }}{{ m(n-1) }}{% endif %}{% endmacro %}"
                     "{{ m(40) }}"},
      {"caller recursion",
       "{% macro m() %}{% call m() %}{% endcall %}{{ caller() }}{% endmacro %}{{ m() }}"},
      {"loop recursion", "{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}"},
      {"string times", "{{ 'a' * 10**9 }}"},
      {"string times overflow", "{{ 'abc' * 9223372036854775807 }}"},
      {"list times", "{{ [1] * 10**9 }}"},
      {"power", "{{ 2 ** 100000 }}"},
      {"power tower", "{{ 9 ** 9 ** 9 ** 9 ** 9 }}"},
      {"power of a power", "{{ 2 ** (2 ** 100) }}{{ 2 ** 2 ** 2 ** 2 ** 2 ** 2 }}"},
      {"powers", "{% for i in range(100000) %}{% set x = 3 ** 9000 %}{% endfor %}"},
      {"products", "{% set x = 3 ** 4400 %}{% for i in range(100000) %}{% set y = x * x // x % x %}"
                   "{% endfor %}"},
      {"digits", "{% set x = 3 ** 9000 %}{% for i in range(100000) %}{{ x }}{% endfor %}"},
      {"squares", "{% set ns = namespace(x=3) %}{% for i in range(100) %}"
                  "{% set ns.x = ns.x * ns.x %}{% endfor %}"},
      {"many digits", "{{ ('9' * 10 ** 6) | int }}{{ 10 ** 5000 }}"},
  };
}

std::vector<Attack> formats_and_fills() {
  return {
      {"format width", "{{ '{:1000000000}'.format('a') }}"},
      {"format huge width", "{{ '{:99999999999999999999}'.format('a') }}"},
      {"format precision", "{{ '{:.1000000000f}'.format(1.5) }}"},
      {"percent width", "{{ '%1000000000d' % 1 }}"},
      {"percent star", "{{ '%*d' % (1000000000, 1) }}"},
      {"percent precision", "{{ '%.1000000000d' % 1 }}"},
      {"zfill", "{{ 'a'.zfill(10**9) }}"},
      {"center", "{{ 'a' | center(10**9) }}"},
      {"ljust", "{{ 'a'.ljust(10**15) }}"},
      {"expandtabs", "{{ '\\t'.expandtabs(10**9) }}"},
      {"indent", "{{ 'a' | indent(10**9, true) }}"},
      {"tojson indent", "{{ [1] | tojson(indent=10**9) }}"},
      {"replace", "{% set a = 'a' * 10**6 %}{{ a | replace('a', a) }}"},
      {"join", "{% set a = 'a' * 10**6 %}{{ range(100000) | join(a) }}"},
      {"str join", "{% set a = 'a' * 10**6 %}{{ a.join(a) }}"},
      {"batch", "{{ [1] | batch(10**9, 'x') | list }}"},
      {"slice", "{{ [1] | slice(10**9, 'x') | list }}"},
      {"wordwrap", "{{ ('a' * 10**7) | wordwrap(1) | wordwrap(1, true, 'x' * 1000) }}"},
      {"wordwrap bomb", "{{ ('a ' * 10**5) | wordwrap(1, true, 'x' * 10**6) }}"},
      {"wordwrap hyphens", "{% set a = ('a-' * 10**6) %}{% for i in range(10**5) %}"
                           "{% set x = a | wordwrap(10**6) %}{% endfor %}"},
      {"urlize", "{% set a = 'www.a.b ' * 10**5 %}{% for i in range(10**5) %}"
                 "{% set x = a | urlize %}{% endfor %}"},
      {"urlize brackets", "{{ ('(' * 10**6 ~ 'a' ~ ')' * 10**6) | urlize }}{{ 1 / 0 }}"},
      {"urlize schemes", "{{ ('aa:b ' * 10**5) | urlize(extra_schemes=['aa:'] * 10**5) }}"},
      {"pprint", "{% set a = 'a ' * 10**6 %}{% for i in range(10**5) %}"
                 "{% set x = a | pprint %}{% endfor %}"},
      {"pprint deep", "{% set ns = namespace(l=['x' * 100]) %}{% for i in range(500) %}"
                      "{% set ns.l = [ns.l, 'x' * 100] %}{% endfor %}{% for i in range(10**5) %}"
                      "{% set x = ns.l | pprint %}{% endfor %}"},
      {"translate", "{{ ('a' * 10**6).translate({97: 'b' * 10**6}) }}"},
      {"title", "{% set a = 'aé ' * 10**6 %}{% for i in range(10**5) %}{% set x = a | title %}"
                "{% set x = a.title() %}{% set x = a.swapcase() %}{% endfor %}"},
      {"striptags", "{% set a = '<!--' * 10**6 %}{% for i in range(10**5) %}"
                    "{% set x = a | striptags %}{% endfor %}"},
      {"truncate", "{% set a = 'é' * 10**6 %}{% for i in range(10**5) %}"
                   "{% set x = a | truncate(10**5) %}{% endfor %}"},
      {"is lower", "{% set a = 'é' * 10**6 %}{% for i in range(10**5) %}"
                   "{% set x = [a is lower, a.isalpha(), a.islower(), a | wordcount] %}"
                   "{% endfor %}"},
      {"escape", "{% set a = '<' * 10**6 %}{% for i in range(10**5) %}{% set x = a | e %}"
                 "{% set x = a | urlencode %}{% set x = a | xmlattr if 0 else a | forceescape %}"
                 "{% endfor %}"},
      {"indices", "{% set a = 'é' * 10**6 %}{% for i in range(10**5) %}{% set x = a[-1] %}"
                  "{% set x = a[500000:] %}{% set x = a.find('b', 900000) %}{% endfor %}"},
      {"partition", "{% set a = 'ab' * 10**6 %}{% for i in range(10**5) %}"
                    "{% set x = a.rpartition('ab') %}{% set x = a.splitlines() %}{% endfor %}"},
      {"percent", "{% set a = '%%' * 10**6 %}{% for i in range(10**5) %}{% set x = a % () %}"
                  "{% endfor %}"},
      {"braces", "{% set a = '{{' * 10**6 %}{% for i in range(10**5) %}{% set x = a.format() %}"
                 "{% endfor %}"},
      {"open braces", "{% set a = '{' * (10**6 + 1) %}{{ a.format(1) }}"},
      {"tojson text", "{% set a = 'é' * 10**6 %}{% for i in range(10**5) %}"
                      "{% set x = a | tojson(ensure_ascii=true) %}{% endfor %}"},
      {"reprs", "{% set a = ['é\x01' * 10**6] %}{% for i in range(10**5) %}{% set x = a | string %}"
                "{% endfor %}"},
  };
}

std::vector<Attack> growth_and_work() {
  std::string doubling = "{% set ns = namespace(s='aaaaaaaaaaaaaaaa') %}{% for i in range(60) %}"
                         "{% set ns.s = ns.s + ns.s %}{% endfor %}";
  std::string pairs = "{% set ns = namespace(l=[]) %}{% for i in range(60) %}"
                      "{% set ns.l = [ns.l, ns.l] %}{% endfor %}";
  return {
      {"doubling string", doubling},
      {"doubling list repr", pairs + "{{ ns.l }}"},
      {"doubling list json", pairs + "{{ ns.l | tojson }}"},
      {"doubling list compare", pairs + "{% set x = ns.l %}{% set ns.l = [] %}"
                                "{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}"
                                "{{ x == ns.l }}"},
      {"doubling tuple key", "{% set ns = namespace(t=()) %}{% for i in range(60) %}"
                             "{% set ns.t = (ns.t, ns.t) %}{% endfor %}{{ {ns.t: 1} }}"},
      {"deep list", "{% set ns = namespace(l=[]) %}{% for i in range(100000) %}"
                    "{% set ns.l = [ns.l] %}{% endfor %}"},
      {"self in namespace", "{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}"},
      {"search", "{% set a = 'a' * 10**6 %}{% set b = 'a' * (5 * 10**5) ~ 'b' %}"
                 "{% for i in range(100000) %}{% set x = a.find(b) + a.rfind(b) %}{% endfor %}"},
      {"count", "{% set a = 'a' * 10**7 %}{% for i in range(100000) %}{% set x = a.count('b') %}"
                "{% endfor %}"},
      {"compare long", "{% set a = 'a' * 10**7 %}{% set b = 'a' * 10**7 %}"
                       "{% for i in range(100000) %}{% set x = a == b %}{% endfor %}"},
      {"copy long", "{% set a = 'a' * 10**7 %}{% for i in range(100000) %}"
                    "{% set x = a ~ i %}{% endfor %}"},
      {"upper long", "{% set a = 'a' * 10**7 %}{% for i in range(100000) %}"
                     "{% set x = a.upper() %}{% endfor %}"},
      {"split", "{% set a = 'a ' * 10**6 %}{% for i in range(100000) %}"
                "{% set x = a.split() %}{% endfor %}"},
      {"sort", "{% for i in range(100000) %}{% set x = range(100000) | sort(reverse=true) %}"
               "{% endfor %}"},
      {"sum", "{% for i in range(100000) %}{% set x = range(100000) | sum %}{% endfor %}"},
      {"filters of filters", "{% set ns = namespace(i=[1]) %}{% for i in range(100000) %}"
                             "{% set ns.i = ns.i | map('int') %}{% endfor %}{{ ns.i | list }}"},
      {"percent of long", "{% set a = '%s' * 10**6 %}{{ a % ('a' * 10**6, ) }}"},
      {"strftime", "{{ strftime_now('%999999999d' * 100) }}"},
      {"format nests", "{{ '{:{:{:{}}}}'.format(1, 2, 3, 4) }}"},
      {"round digits", "{{ 1.5 | round(10**10) | round(-10**10) }}{{ 1 / 0 }}"},
  };
}

std::vector<Attack> attacks() {
  std::vector<Attack> all = loops_and_sizes();
  for (const Attack& attack : formats_and_fills()) all.push_back(attack);
  for (const Attack& attack : growth_and_work()) all.push_back(attack);
  return all;
}

TEST(TemplateHostile, RunawaysStop) {
  long before = peak_mib();
  for (const Attack& attack : attacks()) {
    SCOPED_TRACE(attack.name);
    auto compiled = Template::compile(attack.source);
    ASSERT_TRUE(compiled.has_value()) << compiled.error().message;
    if (std::getenv("HEARTH_SHOW_ATTACKS")) {
      std::fprintf(stderr, "%s (%ld MiB so far)\n", attack.name.c_str(), peak_mib() - before);
    }
    double start = processor_ms();
    auto rendered = compiled->render(Json(Json::Object{}));
    double took = processor_ms() - start;
    EXPECT_FALSE(rendered.has_value());
    if (took > 40) std::printf("%s: %.0f ms\n", attack.name.c_str(), took);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    EXPECT_LT(took, 2000);  // a hang, not a measurement: bench/ has those
#endif
  }
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_LT(peak_mib() - before, 64);
#endif
}

TEST(TemplateHostile, DeepNestingIsRefusedWhereItIsRead) {
  std::vector<Attack> texts = {
      {"parentheses", "{{ " + repeat("(", 60'000)},
      {"closed parentheses", "{{ " + repeat("(", 60'000) + "1" + repeat(")", 60'000) + " }}"},
      {"brackets", "{{ " + repeat("[", 60'000) + " }}"},
      {"braces", "{{ " + repeat("{1:", 60'000) + " }}"},
      {"not", "{{ " + repeat("not ", 60'000) + "1 }}"},
      {"minus", "{{ " + repeat("-", 60'000) + "1 }}"},
      {"plus chain", "{{ 1" + repeat(" + 1", 60'000) + " }}"},
      {"and chain", "{{ 1" + repeat(" and 1", 60'000) + " }}"},
      {"power chain", "{{ 1" + repeat(" ** 1", 60'000) + " }}"},
      {"attributes", "{{ a" + repeat(".a", 60'000) + " }}"},
      {"subscripts", "{{ a" + repeat("[a", 60'000) + repeat("]", 60'000) + " }}"},
      {"calls", "{{ a" + repeat("(a", 60'000) + repeat(")", 60'000) + " }}"},
      {"call chain", "{{ a" + repeat("()", 60'000) + " }}"},
      {"filters", "{{ a" + repeat("|e", 60'000) + " }}"},
      {"tests", "{{ a" + repeat(" is defined", 60'000) + " }}"},
      {"conditions", "{{ 1" + repeat(" if 1 else 1", 60'000) + " }}"},
      {"open conditions", "{{ 1" + repeat(" if 1", 60'000) + " }}"},
      {"slices", "{{ a" + repeat("[1:", 60'000) + " }}"},
      {"ifs", repeat("{% if 1 %}", 60'000)},
      {"fors", repeat("{% for a in b %}", 60'000) + repeat("{% endfor %}", 60'000)},
      {"elses", repeat("{% if 1 %}{% else %}", 60'000)},
      {"macros", repeat("{% macro m() %}", 60'000)},
      {"calls of blocks", repeat("{% call m() %}", 60'000)},
      {"set blocks", repeat("{% set a %}", 60'000)},
      {"withs", repeat("{% with a = 1 %}", 60'000)},
      {"targets", "{% set " + repeat("(", 60'000) + "a" + repeat(")", 60'000) + " = 1 %}"},
      {"comments", repeat("{#", 60'000)},
      {"raws", repeat("{% raw %}", 60'000)},
      {"blanks", "{%" + repeat(" ", 1'000'000)},
      {"half tags", repeat("{% endraw ", 60'000)},
  };
  for (const Attack& text : texts) {
    SCOPED_TRACE(text.name);
    auto compiled = Template::compile(text.source);
    EXPECT_FALSE(compiled.has_value());
    if (!compiled) {
      EXPECT_TRUE(compiled.error().message.starts_with("line ")) << compiled.error().message;
    }
  }
}

// Bytes that are no UTF-8 become U+FFFD where they come in, and every method copes.
TEST(TemplateHostile, InvalidTextIsReplaced) {
  auto compiled = Template::compile(
      "{{ 'a \x80\xff b'.rsplit() | length }}{{ x.rsplit() | length }}{{ x | trim | length }}"
      "{{ x[::-1] }}{{ x.split(' ')[-1] | upper }}{{ x | tojson }}\xc3");
  ASSERT_TRUE(compiled.has_value());
  Json context;
  context.set("x", std::string("q \x80\xe2\x82 \xf0"));
  auto rendered = compiled->render(context);
  ASSERT_TRUE(rendered.has_value()) << rendered.error().message;
  EXPECT_EQ(*rendered, "336\uFFFD \uFFFD\uFFFD q\uFFFD\"q \uFFFD\uFFFD \uFFFD\"\uFFFD");
}

// Chains that nest nowhere may be long.
TEST(TemplateHostile, LongTemplatesAreFine) {
  std::string source = "{{ ''" + repeat(" ~ 'a'", 20'000) + " }}{% if 0 %}" +
                       repeat("{% elif 0 %}", 20'000) + "{% endif %}" + repeat("{{ 1 }}", 20'000);
  auto compiled = Template::compile(source);
  ASSERT_TRUE(compiled.has_value()) << compiled.error().message;
  auto rendered = compiled->render(Json(Json::Object{}));
  ASSERT_TRUE(rendered.has_value()) << rendered.error().message;
  EXPECT_EQ(rendered->size(), 40'000u);
}

TEST(TemplateHostile, BudgetsOfTheCallerHold) {
  auto compiled = Template::compile("{% for i in range(1000) %}0123456789{% endfor %}");
  RenderOptions options;
  options.output_bytes_max = 9'999;
  auto rendered = compiled->render(Json(Json::Object{}), options);
  ASSERT_FALSE(rendered.has_value());
  EXPECT_EQ(rendered.error().code, Code::kTooLarge);
  options.output_bytes_max = 10'000;
  EXPECT_TRUE(compiled->render(Json(Json::Object{}), options).has_value());
  options.steps_max = 500;
  rendered = compiled->render(Json(Json::Object{}), options);
  ASSERT_FALSE(rendered.has_value());
  EXPECT_EQ(rendered.error().code, Code::kTooLarge);
}

// What frees a chain of a hundred thousand objects must not recurse.
TEST(TemplateHostile, LongChainsAreFreedWithoutRecursion) {
  auto compiled = Template::compile(
      "{% set ns = namespace(last=namespace()) %}{% for i in range(20000) %}"
      "{% set fresh = namespace() %}{% set fresh.before = ns.last %}{% set ns.last = fresh %}"
      "{% endfor %}{% set ns.self = ns %}{% macro m() %}{% endmacro %}{% set ns.m = m %}ok");
  auto rendered = compiled->render(Json(Json::Object{}));
  ASSERT_TRUE(rendered.has_value()) << rendered.error().message;
  EXPECT_EQ(*rendered, "ok");
}

// Pieces of the language in random order: whatever comes, an answer or an error.
TEST(TemplateHostile, RandomPieces) {
  constexpr std::string_view kPieces[] = {
      "{{ ", " }}", "{% ", " %}", "{%- ", " -%}", "{#", "#}", "if ", "for ", "in ", "set ", "endif",
      "endfor", "else", "macro m(a) ", "endmacro", "call m(1) ", "endcall", "x", "messages", "a",
      "loop", ".index", ".items()", "[0]", "[1:]", "[::-1]", "(", ")", "[", "]", "{", "}", ",",
      ":", "1", "2.5", "'s'", "\"q\"", " + ", " - ", " * ", " ** ", " // ", " % ", " ~ ", " == ",
      " < ", " and ", " or ", " not ", " is ", "defined", "|", "tojson", "map('upper')", "list",
      "length", "join(',')", "sort", "range(5)", "namespace(a=1)", "true", "none", "\n", " ", "é",
      ".format(x)", ".split()", "'%s'", "raw", "endraw", "filter upper", "endfilter", "recursive"};
  std::mt19937_64 rng(7);
  auto context =
      Json::parse(R"({"messages": [{"role": "u"}], "x": [1, "a", null], "a": {"b": 2}})");
  size_t compiled_count = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string source = round % 2 ? "{{ " : "";
    for (uint64_t i = 0, n = 1 + rng() % 12; i < n; ++i) {
      source += kPieces[rng() % std::size(kPieces)];
    }
    if (round % 2) source += " }}";
    auto compiled = Template::compile(source);
    if (!compiled) continue;
    ++compiled_count;
    auto rendered = compiled->render(*context);
    (void)rendered;
  }
  EXPECT_GT(compiled_count, 500u);
}

}  // namespace
}  // namespace hearth
