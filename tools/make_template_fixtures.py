#!/usr/bin/env python3
"""Writes tests/data/template/language.json and chat.json: small templates with what Python's
jinja2 prints for them, set up as transformers does for chat templates; and continued.json: prompts
that stop right after an assistant's last message (continue_final_message).

    python3 tools/make_template_fixtures.py            writes the three files
    python3 tools/make_template_fixtures.py --generation FOLDER
        also writes generation.json: the cases of FOLDER/cases.json whose templates use the tag
        {% generation %}, which a plain jinja2 refuses, as transformers renders them

Needs the packages jinja2 (3.1.6 or later) and transformers. The clock stands at
2026-01-02 03:04:05.
"""

import argparse
import datetime
import json
import pathlib

import transformers.utils.chat_template_utils as chat_templates

HERE = pathlib.Path(__file__).resolve().parent
OUT = HERE.parent / "tests" / "data" / "template"
CLOCK = datetime.datetime(2026, 1, 2, 3, 4, 5)

CONTEXT = {
    "n": None, "t": True, "f": False, "i": 7, "neg": -3, "x": 2.5, "big": 1e20, "tiny": 1.5e-7,
    "s": "Hello World", "e": "", "u": "héllo ß Ωmega 日本", "ws": "  a b\t\n", "html": "<b>'\"&",
    "l": [3, 1, 2], "el": [], "ll": [[1, 2], [3, 4]], "words": ["b", "A", "c", "a"],
    "d": {"b": 1, "a": [1, 2.0, None, True], "c": {"x": "y"}, "items": "mine"}, "ed": {},
    "people": [{"name": "Zoe", "age": 30, "tags": ["x"]}, {"name": "adam", "age": 25},
               {"name": "Bob", "age": 30, "admin": True}],
    "tree": [{"v": 1, "c": [{"v": 2, "c": []}, {"v": 3, "c": [{"v": 4, "c": []}]}]}],
}

EXPRESSIONS = r"""
n
t
i
neg
x
big
tiny
1e16
1e15
123456789.123
0.1 + 0.2
1/3
100000000000000000000.0
-0.0
7 // 2
-7 // 2
7 // -2
-7 % 3
7 % -3
7.5 // 2
-7.5 % 2
7 / 2
4 / 2
2 ** 10
2 ** -1
2 ** 0.5
-2 ** 2
2 ** 3 ** 2
1 + 2 * 3 - 4
(1 + 2) * 3
1 - -1
+t + 1
t + t
'a' + 'b'
'ab' * 3
3 * 'ab'
'ab' * -1
[1] + [2]
[1, 2] * 2
(1, 2) + (3,)
'a' ~ 1 ~ none ~ 2.0 ~ [1] ~ missing
1 < 2 < 3
1 < 3 < 2
1 == 1.0 == true
'a' < 'b'
[1, 2] < [1, 3]
1 in l
'x' not in d
'b' in d
'ell' in s
2 in range(3)
'a' in missing
not t
not missing
t and 0
0 or 'x'
e or n
n and 1
'yes' if t else 'no'
'yes' if f
('yes' if f) is defined
1 if f else 2 if f else 3
l
(1,)
()
(1, 'a')
{'a': 1, 2: 'b', none: [true]}
{}
"it's"
'say "hi"'
["it's", 'a"b', 'both\'"', 'tab\t', 'nl\n', 'é', '\x00', '\u200b']
u
'\x41\u00e9\U0001F600\101\q'
'a' 'b'
0x1F + 0b11 + 0o17 + 1_000
1.5e3
d
d.b
d['b']
d.a[1]
d.c.x
d['c']['x']
d.items is callable
d['items']
d.missing
d.missing is defined
d.a.5
d.a.0
l[0]
l[-1]
l[10]
l['x']
s[0]
s[-1]
u[1]
u[-1]
u[1:8]
u[::-1]
s[2:5]
s[:-3]
s[::2]
s[5:1:-2]
s[-3:]
l[1:]
l[::-1]
l[5:]
l[-2:]
(1, 2, 3)[1:]
range(10)[2:8:3]
range(5)
range(5) | list
range(2, 10, 3) | list
range(5, 0, -2) | list
n.foo
n['foo']
i.foo
s.upper()
u.upper()
u.lower()
u.title()
u.capitalize()
u.swapcase()
'ΑΣ'.lower()
'they\'re bill\'s'.title()
ws.strip() ~ '|'
ws.lstrip() ~ '|'
ws.rstrip() ~ '|'
'xxaxx'.strip('x')
'xyaxy'.lstrip('yx')
'abcabc'.rstrip('bc')
s.split()
' a  b '.split()
' a  b '.split(' ')
'a,b,c'.split(',', 1)
'a,b,c'.rsplit(',', 1)
'a b c'.split(none, 1)
'a b c '.rsplit(none, 1)
''.split()
''.split(',')
'a\nb\r\nc\n'.splitlines()
'a\nb'.splitlines(true)
'k=v=w'.partition('=')
'k=v=w'.rpartition('=')
'kv'.partition('=')
'kv'.rpartition('=')
s.startswith('Hell')
s.startswith(('x', 'H'))
s.endswith('ld')
s.startswith('W', 6)
s.find('o')
s.find('o', 5)
s.rfind('o')
s.find('zz')
u.find('日')
s.index('W')
s.count('o')
s.count('')
s.replace('o', '0')
s.replace('o', '0', 1)
'abc'.replace('', '-')
','.join(['a', 'b'])
'-'.join('abc')
'7'.zfill(3) ~ '-7'.zfill(4)
'a'.ljust(3) ~ '|' ~ 'a'.rjust(3, '*') ~ '|' ~ 'ab'.center(5, '.')
'a\tb'.expandtabs(4)
'abc'.removeprefix('a').removesuffix('c')
'123'.isdigit() ~ '½'.isdigit() ~ '½'.isnumeric() ~ 'a1'.isalnum() ~ ''.isalpha() ~ ' '.isspace()
'Ab'.istitle() ~ 'AB'.isupper() ~ 'ab1'.islower() ~ 'a b'.isidentifier() ~ 'é'.isascii()
'{} {}'.format(1, 'a')
'{1}-{0}'.format('a', 'b')
'{x} {y[0]} {z.k}'.format(x=1, y=[2], z={'k': 3})
'{:>5}|{:<5}|{:^5}|{:*^7}'.format('a', 'b', 'c', 'd')
'{:05d} {:+d} {:x} {:#X} {:b} {:,}'.format(42, 7, 255, 255, 5, 1234567)
'{:.2f} {:e} {:g} {:.3g} {:%} {:10.3f}|'.format(3.14159, 12345.678, 0.0001, 1234567, 0.25, 2.5)
'{!r} {!s}'.format('a', 'b')
'{:{}}|'.format('a', 4)
'{{}}'.format()
'{} {}'.format(1.0, none)
'{:.1f}'.format(0.25) ~ '{:.0f}'.format(2.5) ~ '{:.3}'.format(12.0)
'%s %d %5.2f %x %r %%' % ('a', 42, 3.14159, 255, 'b')
'%s' % 5
'%(a)s-%(b)03d' % {'a': 1, 'b': 2}
'%-5s|%5s|%05d|%+d' % ('a', 'b', 42, 7)
'%.3s|%c|%c' % ('abcdef', 'x', 65)
'%e %g' % (12345.678, 0.00001)
d.keys() | list
d.values() | list
d.get('b') ~ d.get('zz') ~ d.get('zz', 'dflt')
{'a': 1}.items() | list
{'a': 1}.items()
{'a': 1}.keys()
{'a': 1, 'b': 2}.values()
{'a': 1}.copy()
dict(a=1, b='x')
dict([('k', 'v')], z=1)
l.index(2) ~ l.count(1)
l.copy()
s | length
u | length
l | count
d | length
missing | length
ws | trim ~ '|'
'xxaxx' | trim('x')
l | join
l | join(', ')
['a', none, 1.5, true] | join('-')
people | join(', ', attribute='name')
missing | default('d')
e | default('d')
e | default('d', true)
n | d('x')
n | d('x', true)
missing.foo | default('x')
s | upper ~ s | lower
'hello world-foo (bar' | title
'hELLO' | capitalize
s | replace('o', '0')
s | replace('o', '0', 1)
l | first ~ l | last
e | first
el | last
s | first ~ s | last
'abc' | list
d | list
5 | string ~ n | string
'42' | int + 1
'42.9' | int
'abc' | int
'abc' | int(-1)
'0x1F' | int(base=16)
' 12 ' | int
x | int
t | int
n | int
'1_000' | int
'3.5' | float
'abc' | float
'inf' | float
i | float
-5 | abs
(-5) | abs
-2.5 | abs
2.5 | round
3.5 | round
2.567 | round(2)
2.5 | round(0, 'ceil')
2.51 | round(1, 'floor')
7 | round
1234 | round(-2)
0.15 | round(1)
l | sum
people | sum(attribute='age')
[0.1, 0.2] | sum
[[1], [2]] | sum(start=[])
l | min ~ l | max
words | min ~ words | max
people | max(attribute='age')
el | min
l | sort
l | sort(reverse=true)
words | sort
words | sort(case_sensitive=true)
people | sort(attribute='name') | map(attribute='name') | list
people | sort(attribute='age,name') | map(attribute='name') | list
[1, 1.0, 2, true, 'a', 'A'] | unique | list
people | map(attribute='age') | unique | list
l | reverse | list
s | reverse
words | map('upper') | list
['1', '2'] | map('int') | sum
people | map(attribute='admin', default=false) | list
people | map(attribute='tags.0') | list
ll | map('first') | list
ll | map(attribute=1) | list
l | select('odd') | list
l | select('gt', 1) | list
l | reject('even') | list
[0, 1, '', 'a', none] | select | list
people | selectattr('admin') | list
people | selectattr('age', 'equalto', 30) | map(attribute='name') | list
people | selectattr('name', 'in', ['Bob', 'x']) | map(attribute='name') | list
people | rejectattr('admin', 'defined') | map(attribute='name') | list
people | selectattr('admin', 'undefined') | list | length
people | groupby('age')
people | groupby('admin', default=false)
['b', 'B', 'a'] | groupby('missing')
{'b': 1, 'a': 2} | dictsort
{'b': 1, 'a': 2} | dictsort(by='value')
{'b': 1, 'A': 2} | dictsort(true)
{'b': 1, 'a': 2} | dictsort(reverse=true)
{'a': 1} | items | list
missing | items | list
'a\nb\n\nc' | indent
'a\nb\n\nc' | indent(2, true, true)
'a\nb' | indent('>> ', first=true)
html | e
html | escape | escape
html | safe
(html | safe) + '<'
'<' + ('>' | safe)
html | forceescape
'<p>a  <i>b</i></p>&amp;' | striptags
'a b/c?d=é&' | urlencode
{'a b': 'c/d', 'e': 1} | urlencode
l | batch(2) | list
l | batch(2, 'x') | list
range(7) | slice(3) | list
range(7) | slice(3, 'x') | list
'a b-c_d' | wordcount
'%s and %s' | format('a', 1)
'%(x)s' | format(x=1)
'a long sentence here' | truncate(10)
'a long sentence here' | truncate(10, true)
'a long sentence here' | truncate(11, false, '!', 0)
'ab' | center(6) ~ '|'
1 | filesizeformat ~ 1500 | filesizeformat ~ 1500000 | filesizeformat(true)
{'class': 'a', 'id': none, 'x': '<'} | xmlattr
d | attr('b') is defined
s | attr('upper') is defined
d | tojson
u | tojson
u | tojson(ensure_ascii=true)
'😀\x7f\x01"\\/' | tojson
'😀\x7f' | tojson(true)
d | tojson(indent=2)
d | tojson(indent=0)
[[], {}, [1]] | tojson(indent=4)
d | tojson(separators=(',', ':'))
d | tojson(indent=1, separators=[', ', ' : '])
d | tojson(sort_keys=true)
{1: 'a', none: 'b', true: 'c', 1.5: 'd'} | tojson
[1.0, 1e20, 1e-7, 0.1, -0.0, 1e16, 123456789012] | tojson
(1, 2) | tojson
html | tojson
'inf' | float | tojson
l | tojson | length
n is none
missing is defined
missing is undefined
n is defined
i is number
x is number
t is number
t is integer
i is integer
x is float
t is boolean
i is boolean
s is string
n is string
d is mapping
l is mapping
l is sequence
s is sequence
d is sequence
i is sequence
{}.items() is sequence
l is iterable
i is iterable
s is iterable
missing is iterable
range is callable
s is callable
d.get is callable
missing is callable
t is true
1 is true
f is false
0 is false
3 is odd
4 is even
9 is divisibleby 3
9 is divisibleby(4)
2 is in l
2 is in(l)
2 is not in l
1 is eq 1
1 is equalto 2
1 is ne 2
1 is lt 2
3 is ge 3
2 is greaterthan 1
'abc' is lower
'ABC' is upper
'upper' is filter
'nope' is filter
'odd' is test
n is sameas none
l is sameas l
[1] is sameas [1]
(html | safe) is escaped
s is not string
not s is string
1 is defined and 2 is defined
missing == n
missing == missing2
missing
missing ~ ''
n == false
0 == false
'1' == 1
[1, 2] == [1.0, 2.0]
[1] == (1,)
{'a': 1, 'b': 2} == {'b': 2, 'a': 1}
{} == []
{1: 'a'}[1.0]
{true: 'a'}[1]
{(1, 2): 'x'}[1, 2]
cycler('a', 'b').next()
joiner(', ')()
namespace(a=1).a
namespace({'a': 2}, b=3).b
namespace(a=1)
strftime_now('%Y-%m-%d %H:%M:%S %d %b %Y %A %B %j %p %%')
strftime_now('%f|%z|%Z')
l is sameas(l)
''.__class__
d.__class__ is defined
d._x
(d | tojson)[0]
'a' in ('b' ~ 'a')
[1, [2, [3, {'a': (4,)}]]]
i | string | length
(i, x)
l | first | string
d.c | items | first
words | map('upper') | join(' ') | lower
[true, false, none] | map('string') | list
2 * 3 | string
(2 * 3) | string
-i | abs
i.bit_length()
x.is_integer()
'%d' % 3.99
'a,b' | replace(',', '\n')
{'a': {'b': {'c': [1, 2]}}}.a.b.c[1]
s.lower().split(' ')[1][::-1]
dict.fromkeys(['a', 'b'], 1)
loop is defined
'\n' | length
'\\n' | length
"a\
b"
1.0 * 3
10 % 3.5
1e308 * 10
'é' < 'f'
none ~ none
[] or {} or 'last'
9223372036854775807 + 1
-9223372036854775807 - 2
2 ** 200
(2 ** 200) // 7
-(2 ** 200) % 1000
(2 ** 200) / (2 ** 190)
3 ** 40 * 7 ** 50 - 1
(10 ** 40) | string | length
10 ** 30 == 1e30
10 ** 22 == 1e22
2 ** 53 + 1 == 2.0 ** 53
2 ** 53 + 1 > 2.0 ** 53
[2 ** 70, 1, -(2 ** 70), 1e21] | sort
'%d|%x|%+d|%60d' % (2 ** 80, 2 ** 80, 2 ** 80, -(2 ** 80))
'{:,}|{:_x}|{:e}|{}'.format(2 ** 80, 2 ** 80, 2 ** 80, 2 ** 80)
(2 ** 80) | tojson
{2 ** 80: 1}[2 ** 80]
'12345678901234567890123' | int
1e25 | int
(2 ** 80) | float
-(2 ** 80) | abs
(2 ** 80) | round(-10)
25 | round(-1)
35 | round(-1)
2 ** 80 is integer
2 ** 80 is divisibleby 16
(2 ** 80).bit_length()
(255).bit_count()
(0.75).as_integer_ratio()
(2.5).hex()
(7).real + (7).imag + (7).denominator
1e400 // 3
12345678901234567 / 3
i | round(1, 'floor')
-0.0 | round(1, 'floor')
'٣٤' | int
'٣.٥' | float
'hello'.translate({104: 'J', 108: none, 111: 48})
'hello'.translate('hello'.maketrans('elo', '310', 'h'))
'%a' % u
'{!a}'.format(u)
'{:-}'.format(s)
[] | sort(attribute='x')
[{'x': none}, {'x': none}] | sort(attribute='x')
range(10)[1:8][::3]
range(10)[::-2]
'The quick brown fox jumps over the lazy dog' | wordwrap(10)
'The quick-brown fox--jumps over' | wordwrap(7)
'supercalifragilistic words' | wordwrap(6)
'supercalifragilistic words' | wordwrap(6, false)
'well-known self-made-man' | wordwrap(8, break_on_hyphens=false)
'a b\n\nc  d' | wordwrap(1, wrapstring='|')
'x' | wordwrap(0)
'see http://example.com/a?b=c&d, or www.foo.org (and bar.net).' | urlize
'mail me@example.org or mailto:you@a.de <http://[::1]:80/>' | urlize
'https://1.2.3.4/ http://localhost foo.xyz foo.com:99999 a.info:8' | urlize
'http://example.com/long/path' | urlize(12, true, '_blank', 'x')
'tel:123 ftp://x' | urlize(extra_schemes=['tel:', 'ftp://'])
'a' | urlize(extra_schemes=['bad'])
d | pprint
people | pprint
[people, people] | pprint
'word ' * 40 | pprint
('word ' * 40) | pprint
['word ' * 40, 'a'] | pprint
(1,) | pprint
('line\n' * 20) | pprint
'<b>a &amp; &#65;&#x42; <!-- c > --></b> d<' | striptags
'<!<!-- -->-- x -->y' | striptags
'<!-->a' | striptags
('<%s>' | safe) % html
('{}{}' | safe).format(html, html | safe)
('{:>5}' | safe).format('<')
('ab' | safe) | list
[] | random
"""

# A template and, where it is an error for every context, nothing else. Context: CONTEXT.
TEMPLATES = [
    "plain",
    "",
    "\n",
    "a\n",
    "a\n\n",
    "a\r\nb\rc\n",
    "{{ 1 }}\n",
    "{% if t %}\nyes\n{% endif %}\nafter",
    "  {% if t %}  yes  {% endif %}  after",
    "a  {%- if t -%}  yes  {%- endif -%}  after",
    "a\n  {%+ if t %}yes{% endif +%}\nafter",
    "x {{- ' y ' -}} z",
    "x {{+ 1 }}",
    "a\n   {{ 1 }}\n   {% set q = 1 %}\n   b",
    "{# c #}\nx",
    "  {# c #}\nx",
    "a {#- c -#} b",
    "a\n  {#+ c +#}\nb",
    "{#-#}x",
    "{% raw %}{{ a }}{% b %}{% endraw %}",
    "{% raw %}\n{{ a }}\n{% endraw %}\nx",
    "a {%- raw -%} {{ b }} {%- endraw -%} c",
    "  {% raw %} {{ b }}\n  {% endraw %}  c",
    "{% for a in l %}{{ a }}{% if not loop.last %}, {% endif %}{% endfor %}",
    "{% for a in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}"
    "{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }};{% endfor %}",
    "{% for a in l %}{{ loop.previtem }}<{{ a }}>{{ loop.nextitem }};{% endfor %}",
    "{% for a in l %}{{ loop.cycle('odd', 'even') }}{% endfor %}",
    "{% for a in [1, 1, 2] %}{{ loop.changed(a) }}{% endfor %}",
    "{% for a in el %}x{% else %}none{% endfor %}",
    "{% for a in l %}{% continue %}{% else %}none{% endfor %}",
    "{% for a in l %}{{ a }}{% break %}{% else %}none{% endfor %}",
    "{% for a in l if a > 1 %}{{ loop.index }}:{{ a }}/{{ loop.length }} {% endfor %}",
    "{% for a in l if a > 5 %}x{% else %}none{% endfor %}",
    "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}",
    "{% for k in d %}{{ k }};{% endfor %}",
    "{% for (a, b), c in [((1, 2), 3)] %}{{ a }}{{ b }}{{ c }}{% endfor %}",
    "{% for c in 'aé' %}[{{ c }}]{% endfor %}",
    "{% for a in missing %}x{% endfor %}ok",
    "{% for a in range(3) %}{% for b in range(2) %}{{ a }}{{ b }}{{ loop.index }} "
    "{% endfor %}{{ loop.index }}{% endfor %}",
    "{% for n in tree recursive %}{{ n.v }}@{{ loop.depth }}({{ loop(n.c) }}){% endfor %}",
    "{% for a in range(10) %}{% if a == 2 %}{% continue %}{% endif %}"
    "{% if a == 5 %}{% break %}{% endif %}{{ a }}{% endfor %}",
    "{% set q = 1 %}{% for a in l %}{% set q = a %}{{ q }}{% endfor %}{{ q }}",
    "{% set ns = namespace(q=1) %}{% for a in l %}{% set ns.q = ns.q + a %}{% endfor %}{{ ns.q }}",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}",
    "{% set a = 1, 2 %}{{ a }}",
    "{% set ns = namespace() %}{% set ns.a, b = 1, 2 %}{{ ns.a }}{{ b }}",
    "{% if f %}{% set q = 1 %}{% endif %}{{ q is defined }}",
    "{% if t %}{% set q = 1 %}{% endif %}{{ q }}",
    "{% set q %}a{{ i }}b{% endset %}{{ q }}|{{ q | length }}",
    "{% set q | upper | trim %} a{{ i }}b {% endset %}{{ q }}|",
    "{% set q %}{% set inner = 5 %}{% endset %}{{ inner is defined }}",
    "{% if f %}a{% elif t %}b{% else %}c{% endif %}",
    "{% if f %}a{% elif n %}b{% else %}c{% endif %}",
    "{% if missing %}a{% endif %}{% if el %}b{% endif %}{% if 0.0 %}c{% endif %}"
    "{% if ' ' %}d{% endif %}",
    "{% macro m(a, b=2) %}{{ a }}-{{ b }}{% endmacro %}{{ m(1) }} {{ m(1, 3) }} {{ m(b=5, a=4) }}",
    "{% macro m(a) %}[{{ a }}]{{ a is defined }}{% endmacro %}{{ m() }}",
    "{% macro m(a) %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, 3, x=4) }}",
    "{% macro m(a, b=a) %}{{ b }}{% endmacro %}{{ m(7) }}",
    "{% macro m() %}<{{ caller() }}>{% endmacro %}{% call m() %}in{{ i }}{% endcall %}",
    "{% macro m() %}{{ caller(1, 2) }}{% endmacro %}"
    "{% call(a, b) m() %}{{ a }}+{{ b }}{% endcall %}",
    "{% macro m() %}{{ caller is defined }}{% endmacro %}{{ m() }}",
    "{% macro f(k) %}{% if k > 0 %}{{ k }}{{ f(k - 1) }}{% endif %}{% endmacro %}{{ f(4) }}",
    "{% set q = 1 %}{% macro m() %}{{ q }}{% endmacro %}{% set q = 2 %}{{ m() }}",
    "{% macro m() %}{% set z = 9 %}{{ z }}{% endmacro %}{{ m() }}{{ z is defined }}",
    "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}B{% endmacro %}{{ a() }}",
    "{% macro m() %}x{% endmacro %}{{ m }}{{ m.name }}",
    "{% macro m() %}  x\n{% endmacro %}{{ m() | trim }}|{{ m()|length }}",
    "{{ m() }}{% macro m() %}x{% endmacro %}",
    "{% filter upper %}a{{ s }}{% endfilter %}",
    "{% filter replace('a', 'b') | upper %}aa{% endfilter %}",
    "{% with a = 1, b = i %}{{ a }}{{ b }}{% endwith %}{{ a is defined }}",
    "{% set a = 5 %}{% with a = 1, b = a %}{{ b }}{% endwith %}",
    "{% with %}{% set a = 1 %}{{ a }}{% endwith %}{{ a is defined }}",
    "{% generation %}a{{ i }}{% set z = 1 %}{% endgeneration %}{{ z is defined }}",
    "{% for a in l %}{% generation %}{{ a }}{{ loop.index }}{% endgeneration %}{% endfor %}",
    "{% block b %}x{{ i }}{% endblock %}",
    "{% for a in l %}{% block b scoped %}{{ a }}{% endblock %}{% endfor %}",
    "{% print i, s %}",
    "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}",
    "{% set j = joiner('|') %}{% for a in l %}{{ j() }}{{ a }}{% endfor %}",
    "{% set x = l | map('string') %}{{ x | list }}{{ x | list }}",
    "{% set x = people | selectattr('nope') %}{% if x %}true{% endif %}",
    "{% set x = l | select('odd') %}{% for a in x %}{{ loop.length }}{{ a }}{% endfor %}",
    "{{ l | map('nope') | list if f else 'ok' }}",
    "{% if f %}{{ l | nope }}{% endif %}ok",
    "{% set loop = 5 %}{{ loop }}",
    "{{ '{{' }}{{ '%}' }}",
    "{{ {'a': {'b': 1}} }}",
    "{{ {'a': 1}['a'] }}",
    "{{ (1 if t else 2) if f else 3 }}",
    "{%for a in l%}{{a}}{%endfor%}",
    "{% if 1 -%}\n  x\n{%- endif %}",
    "{% set messages = [{'role': 'user'}] + [{'role': 'bot'}] %}{{ messages[1:][0].role }}",
    "{{ messages[0]['role'] }}",
    "{% set d2 = dict(d, z=1) %}{{ d2.z }}{{ d2.b }}",
    "{{ range(3) | map('string') | join('-') }}",
    "{% for k, v in d | dictsort %}{{ k }};{% endfor %}",
    "{% for g, items in people | groupby('age') %}"
    "{{ g }}:{{ items | map(attribute='name') | join(',') }};{% endfor %}",
    "{% for g in people | groupby('age') %}{{ g.grouper }}:{{ g.list | length }};{% endfor %}",
    "{% macro m(x) %}{{ x }}{% endmacro %}{{ l | map('string') | map('upper') | join }}"
    "{{ m(*[1]) }}{{ m(**{'x': 2}) }}",
    "{% autoescape false %}{{ '<' }}{% endautoescape %}",
    "é{{ u }}\n{% if t %}ü{% endif %}",
    "{{ '\\é' }}",
    "{{ ('<b>' | safe) ~ '<i>' }}",
    "{%- set x -%}  a  {%- endset -%}{{ x }}|",
    "{% for i in range(3) -%}\n  {{ i }}\n{%- endfor %}",
    "{% for i in range(2) %}\n  {{ i }}\n{% endfor %}\nend\n",
    "\t{% if t %}\tx{% endif %}",
    "a{% if t %}\n\nb{% endif %}",
    "{{ [\n1,\n2,\n] }}",
    "{{ {'a': 1,} }}",
    "{{ dict(\n a=1,\n) }}",
    "{% set a = [1, 2] %}{% set b = a %}{{ a is sameas b }}",
    # a name that a block sets is its own from the start
    "{% for a in l %}{{ x }};{% endfor %}{% set x = 1 %}{{ x }}",
    "{% macro m() %}{{ x }}{% endmacro %}{{ m() }}{% set x = 1 %}{{ m() }}",
    "{{ x }}{% for a in l %}{{ x }};{% endfor %}{% set x = 1 %}{{ x }}",
    "{% for a in l %}{{ x }};{% endfor %}{% if t %}{% set x = 1 %}{% endif %}{{ x }}",
    "{% if f %}{% set x = 1 %}{% endif %}{{ x }}",
    "{% for a in l %}{{ x }};{% endfor %}"
    "{% if f %}{% set x = 1 %}{% elif f %}{% set x = 2 %}{% else %}{% set x = 3 %}{% endif %}"
    "{{ x }}",
    "{% for a in l %}{{ x }};{% endfor %}"
    "{% if f %}{% set x = 1 %}{% else %}{% set x = 3 %}{% endif %}{{ x }}",
    "{% for a in l %}{% for b in l %}{{ x }};{% endfor %}{% set x = a %}{{ x }}{% endfor %}{{ x }}",
    "{% set x = x + 1 %}{% for a in l %}{{ x }};{% endfor %}",
    "{% for a in l %}{{ x }};{% endfor %}{% macro x() %}q{% endmacro %}{{ x() }}",
    "{% set x %}{{ x }}{% endset %}{{ x }}",
    "{% set ns = namespace(v=x) %}{% for a in l %}{{ ns.v }}{{ x }}{% endfor %}{% set x = 3 %}",
    "{% filter upper %}{{ s }}{% endfilter %}{% set s = 'q' %}{{ s }}",
    "{% with q = s %}{{ s }}{{ q }}{% endwith %}{% set s = 'q' %}",
    "{% generation %}{{ s }}{% endgeneration %}{% set s = 'q' %}",
    "{% block b %}{{ s }}{% endblock %}{% set s = 'q' %}",
    "{% for a in l if a == i or x %}{{ a }}{% endfor %}{% set x = 1 %}",
    # errors
    "{{ missing.foo }}",
    "{{ missing['foo'] }}",
    "{{ missing() }}",
    "{{ missing + 1 }}",
    "{{ 'a' + missing }}",
    "{{ 'a' + 1 }}",
    "{{ 1 + n }}",
    "{{ l + (1,) }}",
    "{{ 1 / 0 }}",
    "{{ 1 % 0 }}",
    "{{ 1 < 'a' }}",
    "{{ n < 1 }}",
    "{{ missing < 1 }}",
    "{{ 1 in 5 }}",
    "{{ 1 in 'abc' }}",
    "{{ missing in 'abc' }}",
    "{{ l.append(4) }}",
    "{{ d.update({}) }}",
    "{{ d.pop('b') }}",
    "{{ d.setdefault('b', 1) }}",
    "{{ ''.__class__.__mro__ }}",
    "{{ s.foo() }}",
    "{{ n.foo.bar }}",
    "{{ s.index('zz') }}",
    "{{ l.index(99) }}",
    "{{ {[]: 1} }}",
    "{{ d[1:2] }}",
    "{{ n[1:] }}",
    "{{ s[::0] }}",
    "{{ l['a':] }}",
    "{{ 5 | length }}",
    "{{ n | length }}",
    "{{ 5 | list }}",
    "{{ [1, 'a'] | sort }}",
    "{{ ['a'] | sum }}",
    "{{ missing | int }}",
    "{{ missing | tojson }}",
    "{{ range | tojson }}",
    "{{ {(1, 2): 3} | tojson }}",
    "{{ d.items() | tojson }}",
    "{{ l | nope }}",
    "{{ l is nope }}",
    "{{ l | map('nope') | list }}",
    "{{ (l | map('string')) | length }}",
    "{{ (l | map('string')) | last }}",
    "{{ raise_exception('boom') }}",
    "{{ range(100001) }}",
    "{{ range(0, 10, 0) }}",
    "{{ namespace(_x=1) }}",
    "{% set d.b = 1 %}",
    "{% set ns = namespace() %}{% set ns._x = 1 %}",
    "{% for a, b in [1] %}{% endfor %}",
    "{% for a, b in [(1, 2, 3)] %}{% endfor %}",
    "{% set a, b = [1] %}",
    "{% for a in 5 %}{% endfor %}",
    "{% for a in n %}{% endfor %}",
    "{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}",
    "{% macro m(a) %}{% endmacro %}{{ m(b=2) }}",
    "{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}",
    "{% macro m() %}x{% endmacro %}{% call m() %}y{% endcall %}",
    "{% macro m(a=1, b) %}{% endmacro %}",
    "{% macro m(a, a) %}{% endmacro %}",
    "{% for loop in l %}{% endfor %}",
    "{% for a in l %}{% set loop = 1 %}{% endfor %}",
    "{% break %}",
    "{% for a in l %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}",
    "{% if t %}",
    "{% endif %}",
    "{% for a in l %}{% endif %}",
    "{% nope %}",
    "{{ 1 +",
    "{{ 1 + }}",
    "{{ }}",
    "{{ (1 }}",
    "{{ [1) }}",
    "{{ 1 2 }}",
    "{{ 'abc }}",
    "{{ a.b. }}",
    "{# abc",
    "{% raw %}abc",
    "{{ 1 ! 2 }}",
    "{{ '\\x1' }}",
    "{% set 1 = 2 %}",
    "{% set true = 2 %}",
    "{% set a.b.c = 2 %}",
    "{{ f(a=1, 2) }}",
    "{{ dict(a=1, a=2) }}",
    "{{ x is is y }}",
    "{{ l | }}",
    "{{ '%d' % 'a' }}",
    "{{ '%s %s' % 1 }}",
    "{{ '%s' % (1, 2) }}",
    "{{ '{} {}'.format(1) }}",
    "{{ '{'.format() }}",
    "{{ '{:d}'.format('a') }}",
    "{{ 'a'.split('') }}",
    "{{ ','.join([1]) }}",
    "{{ 'a' * 'b' }}",
    "{{ -'a' }}",
    "{{ [] | batch }}",
    "{{ d | dictsort(by='x') }}",
    "{{ x.y.z() }}",
    "{{ (1).foo() }}",
    "{{ 1 | round(1, 'x') }}",
    "{{ loop(1) }}",
    "{% for a in l %}{{ loop(a) }}{% endfor %}",
    "{{ cycler() }}",
    "{{ 's' is divisibleby 2 }}",
    "{{ {} | first | upper ~ [] | first.x }}",
    "{% include 'x' %}",
    "{% extends 'x' %}",
    "{% import 'x' as y %}",
]

CHATML = """\
{%- for message in messages %}
    {%- if loop.first and message.role != 'system' %}
        {{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}
    {%- endif %}
    {{- '<|im_start|>' + message.role + '\\n' + (message.content or '') }}
    {%- for call in message.tool_calls or [] %}
        {{- '\\n<tool_call>\\n{"name": "' ~ call.function.name ~ '", "arguments": ' }}
        {{- call.function.arguments | tojson ~ '}\\n</tool_call>' }}
    {%- endfor %}
    {{- '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""

LLAMA3 = """\
{{- bos_token }}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content'] | trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = '' %}
{%- endif %}
{{- '<|start_header_id|>system<|end_header_id|>\\n\\n' }}
{{- 'Today Date: ' + strftime_now('%d %b %Y') + '\\n\\n' + system_message + '<|eot_id|>' }}
{%- if tools is defined and tools is not none %}
    {%- for tool in tools %}
        {{- tool | tojson(indent=4) }}
        {{- '\\n\\n' }}
    {%- endfor %}
{%- endif %}
{%- for message in messages %}
    {%- if message.tool_calls is defined and message.tool_calls %}
        {%- if message.tool_calls | length != 1 %}
            {{- raise_exception('one tool call at once, please') }}
        {%- endif %}
        {%- set call = message.tool_calls[0].function %}
        {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
        {{- '{"name": "' + call.name + '", "parameters": ' }}
        {{- call.arguments | tojson + '}<|eot_id|>' }}
    {%- elif message.role == 'tool' %}
        {{- '<|start_header_id|>ipython<|end_header_id|>\\n\\n' }}
        {%- if message.content is mapping or message.content is iterable %}
            {{- message.content | tojson }}
        {%- else %}
            {{- message.content }}
        {%- endif %}
        {{- '<|eot_id|>' }}
    {%- else %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}
        {{- message['content'] | trim + '<|eot_id|>' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""

MISTRAL = """\
{{ bos_token }}{% set ns = namespace(system='', turn=0) %}
{%- for message in messages %}
    {%- if message['role'] == 'system' %}
        {%- set ns.system = message['content'] ~ '\\n\\n' %}
    {%- elif message['role'] == 'user' %}
        {%- if ns.turn % 2 != 0 %}
            {{- raise_exception('Conversation roles must alternate') }}
        {%- endif %}
        {%- set ns.turn = ns.turn + 1 %}
        {{- '[INST] ' ~ (ns.system if loop.last or ns.turn == 1 else '') }}
        {{- message['content'] ~ ' [/INST]' }}
    {%- elif message['role'] == 'assistant' and message['content'] %}
        {%- set ns.turn = ns.turn + 1 %}
        {{- ' ' ~ message['content'] | trim ~ eos_token }}
    {%- endif %}
{%- endfor %}
"""

GEMMA = """\
{{ bos_token }}
{%- if messages[0].role == 'system' -%}
    {%- set first_user_prefix = messages[0].content + '\\n\\n' -%}
    {%- set loop_messages = messages[1:] -%}
{%- else -%}
    {%- set first_user_prefix = '' -%}
    {%- set loop_messages = messages -%}
{%- endif -%}
{%- for message in loop_messages -%}
    {%- set role = 'model' if message.role == 'assistant' else message.role -%}
    {{ '<start_of_turn>' + role + '\\n' + (first_user_prefix if loop.first else '') }}
    {%- if message.content is string -%}
        {{ message.content | trim }}
    {%- elif message.content is iterable -%}
        {%- for item in message.content -%}
            {%- if item.type == 'image' -%}
                {{ '<start_of_image>' }}
            {%- elif item.type == 'text' -%}
                {{ item.text | trim }}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{ '<end_of_turn>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{ '<start_of_turn>model\\n' }}
{%- endif -%}
"""

TOOLS = [{"type": "function", "function": {
    "name": "weather", "description": "Größe <b> & \"quotes\"",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"},
                                                    "days": {"type": "integer", "default": 3}},
                   "required": ["city"]}}}]


def user(text):
    return {"role": "user", "content": text}


def bot(text):
    return {"role": "assistant", "content": text}


CONVERSATIONS = {
    "user": {"messages": [user("What is the capital of France?")], "add_generation_prompt": True},
    "no prompt": {"messages": [user("Hi"), bot(" Hello! ")]},
    "system": {"messages": [{"role": "system", "content": "Be brief. "}, user(" Hi\n"), bot("Yo"),
                            user("Bye 👋")], "add_generation_prompt": True},
    "tools": {"messages": [user("Weather?"), {"role": "assistant", "content": None, "tool_calls": [
        {"type": "function", "function": {"name": "weather",
                                          "arguments": {"city": "Köln", "days": 2.0}}}]},
                           {"role": "tool", "content": "{\"t\": 21}"}, bot("21 degrees")],
              "tools": TOOLS, "add_generation_prompt": True},
    "two users": {"messages": [user("a"), user("b")]},
    "parts": {"messages": [user([{"type": "image"}, {"type": "text", "text": " what? "}])],
              "add_generation_prompt": True},
    "empty": {"messages": []},
    "control": {"messages": [user("<|im_start|>system\n{{ 1 }} {% if %}")]},
}

# Shows of an earlier answer only what follows its reasoning.
REASONING = """\
{%- for message in messages %}
    {%- set content = message.content %}
    {%- if '</think>' in content %}
        {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
    {%- endif %}
    {{- '<|' + message.role + '|>' + content + eos_token }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|assistant|><think>\\n' }}
{%- endif %}
"""

BEGUN = ["The answer is", "Two trailing  ", "```json\n", " \n led by blanks",
         "a\n\nb\tc \u00a0\u2003", "Größe 日本 🙂\n", "<|im_end|>\n</s>[INST]",
         "<think>hm</think>\n\nSo", "</think>", "yes", "CONTINUE_FINAL_MESSAGE_TAG ",
         "MESSAGE_ENDS_HERE and ", "{{ 1 }} {% if %}"]
CONTINUED = [[user("Is it yes?"), bot(text)] for text in BEGUN] + [
    [{"role": "system", "content": "Be brief."}, user("Hi"), bot("Yo "), user("Go on?"),
     bot("Yo ")],
    [user("Say: yes"), bot("yes"), user("yes"), bot(" yes")],
    [bot("I begin")],
]


def compiled(source):
    template = chat_templates._compile_jinja_template(source)
    template.globals["strftime_now"] = lambda form: CLOCK.strftime(form)
    return template


def outcome(source, context):
    try:
        return {"expected": compiled(source).render(**context)}
    except Exception as error:  # every kind of failure is an answer here
        return {"error": type(error).__name__}


def continued(source, messages):
    compiled(source)  # sets the clock; transformers keeps what it compiled
    try:
        texts, _ = chat_templates.render_jinja_template(
            [messages], chat_template=source, continue_final_message=True, bos_token="<s>",
            eos_token="</s>")
        return {"expected": texts[0]}
    except Exception as error:
        return {"error": type(error).__name__}


def write(name, value):
    rows = ",\n".join(json.dumps(row, ensure_ascii=False) for row in value["cases"])
    head = json.dumps({key: value[key] for key in value if key != "cases"}, ensure_ascii=False)
    OUT.mkdir(parents=True, exist_ok=True)
    text = head[:-1] + (", " if len(head) > 2 else "") + '"cases": [\n' + rows + "\n]}\n"
    json.loads(text)
    (OUT / name).write_text(text, encoding="utf-8")
    print(f"{name}: {len(value['cases'])} cases, "
          f"{sum('error' in case for case in value['cases'])} of them errors")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--generation", type=pathlib.Path, metavar="FOLDER")
    args = parser.parse_args()

    expressions = [line for line in EXPRESSIONS.strip("\n").split("\n")]
    joined = []
    for line in expressions:  # a line that ends with a backslash goes on
        if joined and joined[-1].endswith("\\"):
            joined[-1] += "\n" + line
        else:
            joined.append(line)
    sources = ["{{ " + line + " }}" for line in joined] + TEMPLATES
    write("language.json", {"context": CONTEXT, "cases": [
        {"template": source, **outcome(source, CONTEXT)} for source in sources]})

    templates = {"chatml": CHATML, "llama3": LLAMA3, "mistral": MISTRAL, "gemma": GEMMA}
    specials = {"bos_token": "<s>", "eos_token": "</s>"}
    write("chat.json", {"templates": templates, "cases": [
        {"template": name, "conversation": title, "context": {**specials, **context},
         **outcome(source, {**specials, **context})}
        for name, source in templates.items() for title, context in CONVERSATIONS.items()]})

    write("continued.json", {"templates": {"reasoning": REASONING}, "cases": [
        {"template": name, "messages": messages, **continued(source, messages)}
        for name, source in {**templates, "reasoning": REASONING}.items()
        for messages in CONTINUED]})

    if args.generation:
        cases = []
        for case in json.loads((args.generation / "cases.json").read_text(encoding="utf-8")):
            source = (args.generation / case["template"]).read_text(encoding="utf-8")
            if "error" in case and "endgeneration" in source:
                cases.append({"template": case["template"], "case": case["case"],
                              **outcome(source, case["context"])})
        write("generation.json", {"cases": cases})


if __name__ == "__main__":
    main()
