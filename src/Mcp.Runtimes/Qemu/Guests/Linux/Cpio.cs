using System.Globalization;
using System.Text;

namespace Mcp.Runtimes.Qemu.Guests.Linux;

/// <summary>Writes an initramfs. https://www.kernel.org/doc/html/latest/driver-api/early-userspace/buffer-format.html</summary>
internal sealed class Cpio(Stream output)
{
    private const int DirectoryMode = 0x41ed; // 040755
    private const int ProgramMode = 0x81ed;   // 100755
    private int _inode;

    public void Directory(string name) => Entry(name, DirectoryMode, []);

    public void Program(string name, ReadOnlySpan<byte> content) => Entry(name, ProgramMode, content);

    public void End() => Entry("TRAILER!!!", 0, []);

    private void Entry(string name, int mode, ReadOnlySpan<byte> content)
    {
        int[] fields = [++_inode, mode, 0, 0, 1, 0, content.Length, 0, 0, 0, 0, name.Length + 1, 0];
        var header = "070701" + string.Concat(fields.Select(f => f.ToString("x8", CultureInfo.InvariantCulture))) + name + '\0';
        output.Write(Encoding.ASCII.GetBytes(header));
        Pad(header.Length);
        output.Write(content);
        Pad(content.Length);
    }

    private void Pad(int written) => output.Write(new byte[-written & 3]);
}
