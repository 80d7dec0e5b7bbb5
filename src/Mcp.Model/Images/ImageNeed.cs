namespace Mcp.Model.Images;

/// <summary>Why an image stays.</summary>
/// <param name="Reference">As the component names it.</param>
/// <param name="Image">Its id; empty: whatever has the reference for a name.</param>
/// <param name="Who">For people.</param>
/// <param name="Name">That keeps it; empty: none.</param>
public sealed record ImageNeed(string Reference, string Image, string Who, string Name = "")
{
    public bool Is(HeldImage image) => Image.Length > 0 ? image.Id == Image : image.Names.Contains(Reference);
}
