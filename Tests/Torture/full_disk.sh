# A disk that fills up: checkpoints and exported models are whole or absent.
. Tests/Torture/common
torture_program faults_test || exit
place=$torture/disk
mkdir -p "$place"
for size in 64k 256k 512k; do
  mount -t tmpfs -o size=$size tmpfs "$place" || { echo "left out: this user may not mount"; exit 0; }
  mkdir "$place/f"
  timeout 300 "$program" $torture_model "$torture_image" "$(realpath "$place/f")" disk
  status=$?
  umount "$place"
  [ $status -eq 0 ] || exit 1
done
