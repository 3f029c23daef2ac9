# Locales with another decimal point and another lower case of I.
. Tests/Torture/common
torture_program locale_test || exit
for locale in tr_TR.UTF-8 de_DE.UTF-8; do
  localedef -i "${locale%.*}" -f UTF-8 "$PWD/$torture/$locale" 2> /dev/null || echo "$locale is not complete"
  LOCPATH=$PWD/$torture timeout 60 "$program" Models/emoji "$torture_image" $locale || exit 1
done
