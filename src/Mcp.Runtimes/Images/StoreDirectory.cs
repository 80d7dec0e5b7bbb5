using System.Security.Cryptography;
using System.Text;
using Mcp.Machine;
using Mcp.Model.Names;
using Microsoft.Win32.SafeHandles;

namespace Mcp.Runtimes.Images;

/// <summary>The directory of the images, this program's alone. Every name in it is made here: DIGEST for a complete image, refs/HASH for
/// what a reference meant last, work-NUMBER for what is under way. A link in the place of one of them was put there by somebody else: it is
/// removed, never followed.</summary>
internal sealed class StoreDirectory(string path)
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const string Refs = "refs";
    private const string Work = "work-";
    private const string Gone = "gone-";
    private const string Half = ".half";
    private const int ReferenceLength = 32;
    private static readonly TimeSpan s_again = TimeSpan.FromMilliseconds(20);

    public string Path { get; } = path;

    public string Home(string digest) => System.IO.Path.Combine(Path, digest);

    /// <summary>The digest that a reference had last, in hexadecimal; null: none is known.</summary>
    public string? Meaning(ImageReference image)
    {
        var file = new FileInfo(Reference(image));
        if (!file.Exists || file.LinkTarget is not null || IsLink(Directory(Refs)))
            return null;
        var text = File.ReadAllText(file.FullName);
        return Digest.IsHex(text) ? text : null;
    }

    public void Remember(ImageReference image, Digest digest)
    {
        Own(Directory(Refs));
        WholeFile.Replace(Reference(image), digest.Hex);
    }

    /// <summary>Only of images that are complete.</summary>
    public IEnumerable<DirectoryInfo> Images() => System.IO.Directory.Exists(Path)
        ? new DirectoryInfo(Path).EnumerateDirectories().Where(d => d.LinkTarget is null && Digest.IsHex(d.Name))
        : [];

    /// <summary>For as long as the handle is open, nothing is removed, and nobody takes what is under way for left behind.</summary>
    public async Task<SafeFileHandle> ClaimAsync(CancellationToken ct)
    {
        Own(Path);
        var claim = Lock();
        try
        {
            // Somebody sweeps or removes just now.
            while (!Posix.TryLock(claim, exclusive: false))
                await Task.Delay(s_again, ct);
            return claim;
        }
        catch
        {
            claim.Dispose();
            throw;
        }
    }

    /// <summary>An empty directory for what is under way, for as long as the handle is open.</summary>
    public async Task<(string Work, SafeFileHandle Claim)> BeginAsync(CancellationToken ct)
    {
        Sweep();
        var claim = await ClaimAsync(ct);
        try
        {
            var work = Directory(Work + Guid.NewGuid().ToString("N"));
            System.IO.Directory.CreateDirectory(work, OwnerOnly);
            return (work, claim);
        }
        catch
        {
            claim.Dispose();
            throw;
        }
    }

    /// <summary>Removes an image, or something that was made of one: out of sight at once and on the disk, then deleted.</summary>
    /// <param name="what">DIGEST, or DIGEST/NAME.</param>
    /// <param name="isFree">Asked when nothing is being made any more.</param>
    /// <returns>False: something is being made just now, or it is not free.</returns>
    public bool Remove(string what, Func<bool> isFree)
    {
        Own(Path);
        using var all = Lock();
        if (!Posix.TryLock(all, exclusive: true))
            return false;
        if (!isFree())
            return false;
        var there = Directory(what);
        if (!System.IO.Directory.Exists(there))
            return true;
        var within = System.IO.Path.GetDirectoryName(there)!;
        var gone = System.IO.Path.Combine(within, $"{Gone}{Guid.NewGuid():N}{(within == Path ? "" : Half)}");
        System.IO.Directory.Move(there, gone);
        // It is out of everybody's way; only Sweep must leave it alone.
        Posix.TryLock(all, exclusive: false);
        WholeFile.Settle(gone);
        System.IO.Directory.Delete(gone, recursive: true);
        return true;
    }

    /// <summary>Forgets references whose image is gone.</summary>
    public void ForgetMeanings()
    {
        if (IsLink(Directory(Refs)) || !System.IO.Directory.Exists(Directory(Refs)))
            return;
        using var all = Lock();
        if (!Posix.TryLock(all, exclusive: true))
            return;
        foreach (var file in new DirectoryInfo(Directory(Refs)).EnumerateFiles().Where(f => f.LinkTarget is null))
        {
            var digest = File.ReadAllText(file.FullName);
            if (!Digest.IsHex(digest) || !System.IO.Directory.Exists(Home(digest)))
                file.Delete();
        }
    }

    /// <summary>What was made becomes the image of this digest, whole or not at all.</summary>
    public void Complete(string work, Digest digest)
    {
        var home = Home(digest.Hex);
        if (IsLink(home))
            File.Delete(home);
        else if (System.IO.Directory.Exists(home))
            System.IO.Directory.Delete(home, recursive: true);
        System.IO.Directory.Move(work, home);
    }

    /// <summary>Removes what a process that was killed left half done; nothing while somebody is at work.</summary>
    public void Sweep()
    {
        Own(Path);
        using var all = Lock();
        if (!Posix.TryLock(all, exclusive: true))
            return;
        foreach (var left in new DirectoryInfo(Path).EnumerateDirectories().Where(d => !IsOurs(d)))
        {
            if (left.LinkTarget is not null)
                File.Delete(left.FullName);
            else
                left.Delete(recursive: true);
        }
    }

    /// <summary>Removes what was being made of the images when the process was killed. Only when nothing is made: when the program
    /// starts.</summary>
    public void SweepHalves()
    {
        foreach (var half in Images().SelectMany(i => i.EnumerateFileSystemInfos($"*{Half}")))
        {
            if (half is DirectoryInfo { LinkTarget: null } directory)
                directory.Delete(recursive: true);
            else
                half.Delete();
        }
    }

    private static bool IsOurs(DirectoryInfo directory) =>
        directory.LinkTarget is null && (directory.Name == Refs || Digest.IsHex(directory.Name));

    public static bool IsLink(string path) => new FileInfo(path).LinkTarget is not null;

    private string Directory(string name) => System.IO.Path.Combine(Path, name);

    private SafeFileHandle Lock() => Posix.OwnFile(Directory("lock"));

    private string Reference(ImageReference image) =>
        System.IO.Path.Combine(
            Directory(Refs), Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(image.Text)))[..ReferenceLength]);

    // The store itself may be a link of the node's owner, to a larger disk.
    private void Own(string directory)
    {
        if (directory != Path && IsLink(directory))
            File.Delete(directory);
        System.IO.Directory.CreateDirectory(directory, OwnerOnly);
    }
}
